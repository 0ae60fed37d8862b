/* lmlp.h from plain C11: a small evaluation, and every failure as a status with a message.
 * LMLP_TEST_MODEL: a model of H and O with three members, five symmetry functions, feature ranges,
 * distances and the spread maps of tests/python/model_files.py. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "lmlp/lmlp.h"

/* Evaluates `e` and compares status and a part of the message. */
static int fails(const lmlp_potential* potential, const lmlp_environments* e, lmlp_results* results,
                 lmlp_status status, const char* words) {
    const lmlp_status found = lmlp_evaluate(potential, e, NULL, results);
    if (found == status && strstr(lmlp_last_error(), words) != NULL) return 1;
    fprintf(stderr, "status %d, message: %s\n", (int)found, lmlp_last_error());
    return 0;
}

static void check_load_failures(void) {
    lmlp_potential* potential = (lmlp_potential*)1;
    CHECK(lmlp_potential_load("/no/such/model.pt", &potential) == LMLP_ERROR_IO);
    CHECK(potential == NULL);
    CHECK(strstr(lmlp_last_error(), "/no/such/model.pt") != NULL);
    CHECK(lmlp_potential_load(NULL, &potential) == LMLP_ERROR_INVALID_ARGUMENT);
    CHECK(lmlp_potential_load("model.pt", NULL) == LMLP_ERROR_INVALID_ARGUMENT);
    CHECK(lmlp_potential_load(__FILE__, &potential) == LMLP_ERROR_MODEL_FILE);
    lmlp_potential_free(NULL);
}

static void check_info(const lmlp_potential* potential) {
    lmlp_potential_info info;
    int number = 0, species = -1;
    memset(&info, 0xff, sizeof(info));
    info.struct_size = sizeof(info);
    CHECK(lmlp_potential_get_info(potential, &info) == LMLP_OK);
    CHECK(info.struct_size == sizeof(info));
    CHECK(info.n_elements == 2 && info.n_members == 3 && info.n_features == 5);
    CHECK(info.cutoff == 4.0 && info.energy_rmse == 0.005 && info.force_rmse == 0.1);
    CHECK(info.energy_uncertainty_factor == 2.0 && info.force_uncertainty_factor == 1.5);
    CHECK(info.has_feature_ranges == 1);
    CHECK(info.has_spread_maps == 1 && info.has_distance == 1);
    CHECK(strlen(info.checksum) == 64);

    /* a caller of an older header: nothing is written beyond its struct */
    memset(&info, 0xff, sizeof(info));
    info.struct_size = offsetof(lmlp_potential_info, cutoff);
    CHECK(lmlp_potential_get_info(potential, &info) == LMLP_OK);
    CHECK(info.n_features == 5);
    CHECK(isnan(info.cutoff)); /* bytes still 0xff */
    info.struct_size = 0;
    CHECK(lmlp_potential_get_info(potential, &info) == LMLP_ERROR_INVALID_ARGUMENT);

    CHECK(lmlp_potential_atomic_number(potential, 1, &number) == LMLP_OK && number == 8);
    CHECK(lmlp_potential_atomic_number(potential, 2, &number) == LMLP_ERROR_UNKNOWN_ELEMENT);
    CHECK(lmlp_potential_atomic_number(potential, -1, &number) == LMLP_ERROR_UNKNOWN_ELEMENT);
    CHECK(lmlp_potential_species(potential, "O", &species) == LMLP_OK && species == 1);
    CHECK(lmlp_potential_species(potential, "Xx", &species) == LMLP_ERROR_UNKNOWN_ELEMENT);
    CHECK(strstr(lmlp_last_error(), "H, O") != NULL);
}

static void check_spread_maps(const lmlp_potential* potential) {
    double sigma = 0.0;
    CHECK(lmlp_sigma_force(potential, 1, 0.0, &sigma) == LMLP_OK && sigma == 0.02);
    CHECK(lmlp_sigma_force(potential, 1, 0.3, &sigma) == LMLP_OK);
    CHECK(fabs(sigma - sqrt(0.02 * 0.02 + 2.5 * 2.5 * 0.09)) < 1e-15);
    CHECK(lmlp_sigma_energy(potential, 0.004, &sigma) == LMLP_OK);
    CHECK(fabs(sigma - sqrt(0.002 * 0.002 + 0.005 * 0.005)) < 1e-15);
    CHECK(lmlp_sigma_virial(potential, 0.004, &sigma) == LMLP_OK);
    CHECK(fabs(sigma - sqrt(0.003 * 0.003 + 0.003 * 0.003)) < 1e-15);
    CHECK(lmlp_sigma_energy(potential, NAN, &sigma) == LMLP_OK &&
          isnan(sigma)); /* one member has no spread */
    CHECK(lmlp_sigma_force(potential, 2, 0.1, &sigma) == LMLP_ERROR_UNKNOWN_ELEMENT);
    CHECK(lmlp_sigma_force(potential, -1, 0.1, &sigma) == LMLP_ERROR_UNKNOWN_ELEMENT);
    CHECK(lmlp_sigma_force(NULL, 0, 0.1, &sigma) == LMLP_ERROR_INVALID_ARGUMENT);
    CHECK(lmlp_sigma_energy(potential, 0.1, NULL) == LMLP_ERROR_INVALID_ARGUMENT);
}

/* A bent water molecule, every atom a center. */
static const int64_t offsets[4] = {0, 2, 4, 6};
static const int32_t center_species[3] = {1, 0, 0};
static const int32_t neighbor_species[6] = {0, 0, 1, 0, 1, 0};
static const double vectors[18] = {0.76,  0.59, 0.0, -0.76, 0.59,  0.0, -0.76, -0.59, 0.0,
                                   -1.52, 0.0,  0.0, 0.76,  -0.59, 0.0, 1.52,  0.0,   0.0};

static lmlp_environments water(void) {
    lmlp_environments e = {0};
    e.struct_size = sizeof(e);
    e.n_centers = 3;
    e.offsets = offsets;
    e.center_species = center_species;
    e.neighbor_species = neighbor_species;
    e.vectors = vectors;
    return e;
}

static void check_evaluation(const lmlp_potential* potential) {
    double energies[3], gradients[18], again[18], members[9], member_gradients[54];
    int32_t extrapolating[3];
    lmlp_environments e = water();
    lmlp_results results = {0};
    lmlp_options options = {0};
    int i, m;
    results.struct_size = sizeof(results);
    options.struct_size = sizeof(options);
    options.n_threads = 2;
    results.pair_gradients = again;
    CHECK(lmlp_evaluate(potential, &e, NULL, &results) == LMLP_OK);
    results.energies = energies;
    results.pair_gradients = gradients;
    results.member_energies = members;
    results.member_pair_gradients = member_gradients;
    results.extrapolating = extrapolating;
    CHECK(lmlp_evaluate(potential, &e, &options, &results) == LMLP_OK);
    CHECK(memcmp(gradients, again, sizeof(gradients)) == 0);
    CHECK(energies[1] == energies[2]); /* mirror images */
    for (i = 0; i < 3; ++i)
        CHECK(fabs((members[i] + members[3 + i] + members[6 + i]) / 3 - energies[i]) < 1e-9);
    for (i = 0; i < 18; ++i) {
        double mean = 0;
        for (m = 0; m < 3; ++m) mean += member_gradients[18 * m + i] / 3;
        CHECK(fabs(mean - gradients[i]) < 1e-12);
    }
    CHECK(fabs(gradients[0]) > 1e-6);

    /* networks in single: other bits */
    results.member_energies = results.member_pair_gradients = NULL;
    results.pair_gradients = again;
    options.precision = LMLP_PRECISION_MIXED;
    CHECK(lmlp_evaluate(potential, &e, &options, &results) == LMLP_OK);
    CHECK(memcmp(gradients, again, sizeof(gradients)) != 0);
    for (i = 0; i < 18; ++i) CHECK(fabs(gradients[i] - again[i]) < 1e-5);
    options.precision = LMLP_PRECISION_DOUBLE;
    CHECK(lmlp_evaluate(potential, &e, &options, &results) == LMLP_OK);
    CHECK(memcmp(gradients, again, sizeof(gradients)) == 0);
    for (i = 0; i < 3; ++i) CHECK(extrapolating[i] >= 0 && extrapolating[i] <= 5);
}

static void check_distances(const lmlp_potential* potential) {
    double gradients[18], again[18], distances[3], alone[3];
    lmlp_environments e = water();
    lmlp_results results = {0};
    int i;
    results.struct_size = sizeof(results);
    results.distances = alone;
    CHECK(lmlp_evaluate(potential, &e, NULL, &results) == LMLP_OK);
    for (i = 0; i < 3; ++i) CHECK(isfinite(alone[i]) && alone[i] > 0.0);
    CHECK(alone[1] == alone[2]); /* mirror images */
    results.distances = distances;
    results.pair_gradients = gradients;
    CHECK(lmlp_evaluate(potential, &e, NULL, &results) == LMLP_OK);
    CHECK(memcmp(alone, distances, sizeof(alone)) == 0);

    /* a caller of an older header: what it does not know is not looked at */
    results.struct_size = offsetof(lmlp_results, distances);
    results.distances = alone;
    alone[0] = -1.0;
    results.pair_gradients = again;
    CHECK(lmlp_evaluate(potential, &e, NULL, &results) == LMLP_OK);
    CHECK(alone[0] == -1.0);
    CHECK(memcmp(gradients, again, sizeof(gradients)) == 0);
    results.struct_size -= 1;
    CHECK(fails(potential, &e, &results, LMLP_ERROR_INVALID_ARGUMENT, "results->struct_size"));
}

static void check_argument_failures(const lmlp_potential* potential) {
    static const int64_t not_zero[4] = {1, 2, 4, 6}, decreasing[4] = {0, 4, 2, 6};
    static const int32_t unknown[6] = {0, 0, 1, 0, 2, 0};
    double energies[3], broken[18];
    lmlp_results results = {0};
    lmlp_environments e = water();
    lmlp_options options = {0};
    struct {
        lmlp_results known;
        void* later;
    } newer = {{0}, NULL};
    results.struct_size = sizeof(results);
    results.energies = energies;
    CHECK(fails(NULL, &e, &results, LMLP_ERROR_INVALID_ARGUMENT, "potential is NULL"));
    CHECK(fails(potential, NULL, &results, LMLP_ERROR_INVALID_ARGUMENT, "environments is NULL"));
    CHECK(fails(potential, &e, NULL, LMLP_ERROR_INVALID_ARGUMENT, "results is NULL"));
    e.struct_size = 8;
    CHECK(fails(potential, &e, &results, LMLP_ERROR_INVALID_ARGUMENT, "environments->struct_size is 8"));
    e = water();
    e.n_centers = -1;
    CHECK(fails(potential, &e, &results, LMLP_ERROR_INVALID_ARGUMENT, "n_centers is -1"));
    e = water();
    e.offsets = NULL;
    CHECK(fails(potential, &e, &results, LMLP_ERROR_INVALID_ARGUMENT, "missing"));
    e.offsets = not_zero;
    CHECK(fails(potential, &e, &results, LMLP_ERROR_INVALID_ARGUMENT, "offsets[0] is 1"));
    e.offsets = decreasing;
    CHECK(fails(potential, &e, &results, LMLP_ERROR_INVALID_ARGUMENT, "offsets decrease at center 1"));
    e = water();
    e.center_species = neighbor_species + 3;
    e.neighbor_species = unknown;
    CHECK(fails(potential, &e, &results, LMLP_ERROR_UNKNOWN_ELEMENT, "species 2"));
    e.center_species = unknown + 3;
    CHECK(fails(potential, &e, &results, LMLP_ERROR_UNKNOWN_ELEMENT, "center 1 has species 2"));
    e = water();
    e.vectors = NULL;
    CHECK(fails(potential, &e, &results, LMLP_ERROR_INVALID_ARGUMENT, "vectors are missing"));
    memcpy(broken, vectors, sizeof(broken));
    broken[7] = NAN;
    e.vectors = broken;
    CHECK(fails(potential, &e, &results, LMLP_ERROR_GEOMETRY, "center 1, pair 2"));
    memset(broken + 6, 0, 3 * sizeof(double));
    CHECK(fails(potential, &e, &results, LMLP_ERROR_GEOMETRY, "same place"));

    e = water();
    options.struct_size = offsetof(lmlp_options, precision);
    CHECK(lmlp_evaluate(potential, &e, &options, &results) == LMLP_ERROR_INVALID_ARGUMENT);
    options.struct_size = sizeof(options);
    options.n_threads = -2;
    CHECK(lmlp_evaluate(potential, &e, &options, &results) == LMLP_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(lmlp_last_error(), "n_threads is -2") != NULL);
    options.n_threads = 1;
    options.precision = 2;
    CHECK(lmlp_evaluate(potential, &e, &options, &results) == LMLP_ERROR_INVALID_ARGUMENT);
    CHECK(strstr(lmlp_last_error(), "precision is 2") != NULL);

    /* a caller of a newer header: served as long as it asks for nothing unknown */
    newer.known = results;
    newer.known.struct_size = sizeof(newer);
    CHECK(lmlp_evaluate(potential, &e, NULL, &newer.known) == LMLP_OK);
    newer.later = energies;
    CHECK(fails(potential, &e, &newer.known, LMLP_ERROR_INVALID_ARGUMENT, "newer version"));

    e.n_centers = 0;
    e.offsets = NULL;
    CHECK(lmlp_evaluate(potential, &e, NULL, &results) == LMLP_OK);
}

int main(void) {
    lmlp_potential* potential = NULL;
    const char* path = getenv("LMLP_TEST_MODEL");
    CHECK(strcmp(lmlp_last_error(), "") == 0);
    CHECK(lmlp_abi_version() == LMLP_ABI_VERSION);
    CHECK(strlen(lmlp_version()) >= 5);
    CHECK(strlen(lmlp_instruction_set()) > 0);
    check_load_failures();
    if (path == NULL) return check_failures == 0 ? 77 : 1;
    CHECK(lmlp_potential_load(path, &potential) == LMLP_OK);
    if (potential == NULL) return finish();
    check_info(potential);
    check_spread_maps(potential);
    check_evaluation(potential);
    check_distances(potential);
    check_argument_failures(potential);
    lmlp_potential_free(potential);
    return finish();
}
