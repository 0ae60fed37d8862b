/* lmlp.h - C interface of the lmlp core, for molecular dynamics engines.
 *
 * Every function returns a status; a failure leaves a message in lmlp_last_error() of the same thread that
 * names what was given, what is allowed, and where. Nothing throws, prints or aborts across this boundary.
 * A potential is immutable after loading and may be used from many threads at once.
 *
 * Units: Angstrom, eV, eV/Angstrom. r_ij = r_j - r_i + S.cell points from the center i to the neighbor j.
 * With g_ij = dE_i/dr_ij of a full list:
 *   F_i = sum_j g_ij - sum_k g_ki          (add g_ij to the center, subtract it from the neighbor)
 *   stress (tension positive) = (1/V) sum_ij r_ij (x) g_ij;  virial as LAMMPS counts it = -V stress
 */
#ifndef LMLP_H
#define LMLP_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define LMLP_API
#else
#define LMLP_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a struct or a function below, or what a number in it means, changes incompatibly. 2: the
 * uncertainty factors mean nothing where a model has spread maps. */
#define LMLP_ABI_VERSION 2

typedef enum lmlp_status {
    LMLP_OK = 0,
    LMLP_ERROR_INVALID_ARGUMENT = 1,
    LMLP_ERROR_UNKNOWN_ELEMENT = 2,
    LMLP_ERROR_GEOMETRY = 3,
    LMLP_ERROR_MODEL_FILE = 4,
    LMLP_ERROR_IO = 5,
    LMLP_ERROR_UNCERTAINTY = 6,
    LMLP_ERROR_INTERNAL = 7,
    LMLP_ERROR_NOT_FINITE = 8 /* an energy or a gradient overflows */
} lmlp_status;

typedef struct lmlp_potential lmlp_potential; /* opaque */

LMLP_API const char* lmlp_version(void);         /* e.g. "0.1.0" */
LMLP_API int lmlp_abi_version(void);             /* LMLP_ABI_VERSION of the compiled core */
LMLP_API const char* lmlp_last_error(void);      /* message of this thread's last failure, "" if none */
LMLP_API const char* lmlp_instruction_set(void); /* kernels in use: "x86-64-v4", ... */

LMLP_API lmlp_status lmlp_potential_load(const char* path, lmlp_potential** potential);
LMLP_API void lmlp_potential_free(lmlp_potential* potential); /* NULL is allowed */

/* Facts of a loaded model; struct_size = sizeof(lmlp_potential_info), set by the caller. */
typedef struct lmlp_potential_info {
    size_t struct_size;
    int n_elements;
    int n_members;
    int n_features;
    double cutoff;                    /* Angstrom */
    double energy_rmse;               /* eV/atom, test error; NaN when the model has none */
    double force_rmse;                /* eV/Angstrom, test error; NaN when the model has none */
    double energy_uncertainty_factor; /* c of sigma_E = c std(E_m), ddof 1, without spread maps */
    double force_uncertainty_factor;  /* c of sigma_F = c std(F_m), ddof 1, without spread maps */
    int has_feature_ranges;           /* 1: extrapolation counts are available */
    const char* checksum; /* SHA-256 of the file's content, hexadecimal; lives as long as the potential */
    int has_spread_maps;  /* 1: sigma by lmlp_sigma_force, ... below; the factors mean nothing */
    int has_distance;     /* 1: distances are available */
} lmlp_potential_info;

LMLP_API lmlp_status lmlp_potential_get_info(const lmlp_potential* potential, lmlp_potential_info* info);
/* Atomic number of species 0 .. n_elements-1. */
LMLP_API lmlp_status lmlp_potential_atomic_number(const lmlp_potential* potential, int species, int* number);
/* Species of a chemical symbol; LMLP_ERROR_UNKNOWN_ELEMENT lists the model's elements. */
LMLP_API lmlp_status lmlp_potential_species(const lmlp_potential* potential, const char* symbol,
                                            int* species);

/* Shortest distance of two species in the training data, Angstrom; NaN when the model does not know it. */
LMLP_API lmlp_status lmlp_potential_shortest_distance(const lmlp_potential* potential, int species, int other,
                                                      double* distance);

/* From the spread of the members (standard deviation, ddof 1) to sigma, for models with spread maps:
 * sigma = sqrt(floor^2 + (factor spread)^2). LMLP_ERROR_UNCERTAINTY without spread maps; a spread that is NaN
 * gives NaN.
 * Of a force vector: spread = length of the vector of the components' standard deviations, eV/Angstrom; sigma
 * is the root mean square length of the error vector. */
LMLP_API lmlp_status lmlp_sigma_force(const lmlp_potential* potential, int species, double spread,
                                      double* sigma);
/* Of an energy: per atom, eV/atom. */
LMLP_API lmlp_status lmlp_sigma_energy(const lmlp_potential* potential, double spread, double* sigma);
/* Of a component of the virial per atom, or of its trace over 3, eV/atom. */
LMLP_API lmlp_status lmlp_sigma_virial(const lmlp_potential* potential, double spread, double* sigma);

/* A full pair list grouped by center. Pairs at or beyond the cutoff contribute exactly zero, so a list with a
 * skin may be passed as it is. Call with blocks of centers to bound memory; results do not depend on the
 * blocks. */
typedef struct lmlp_environments {
    size_t struct_size; /* sizeof(lmlp_environments) */
    int64_t n_centers;
    const int64_t* offsets;          /* [n_centers + 1], offsets[0] = 0 */
    const int32_t* center_species;   /* [n_centers] */
    const int32_t* neighbor_species; /* [n_pairs] */
    const double* vectors;           /* [n_pairs, 3] */
} lmlp_environments;

/* What to compute: each non-NULL array is filled (assigned, not added to). */
typedef struct lmlp_results {
    size_t struct_size;            /* sizeof(lmlp_results) */
    double* energies;              /* [n_centers] ensemble mean, E_atom included */
    double* pair_gradients;        /* [n_pairs, 3] dE/dr_ij of the ensemble mean */
    double* member_energies;       /* [n_members, n_centers], E_atom included */
    double* member_pair_gradients; /* [n_members, n_pairs, 3] */
    int32_t* extrapolating;        /* [n_centers] number of symmetry functions outside the training range */
    double* distances; /* [n_centers] from the training atoms of the element, 1 = their 99.9 % quantile; asked
                          alone, no networks are computed */
} lmlp_results;

/* Of the networks; geometry, symmetry functions and all sums are in double. What mixed precision changes:
 * docs/benchmarks/speed.md. */
typedef enum lmlp_precision { LMLP_PRECISION_DOUBLE = 0, LMLP_PRECISION_MIXED = 1 } lmlp_precision;

typedef struct lmlp_options {
    size_t struct_size; /* sizeof(lmlp_options) */
    int n_threads;      /* 0: OpenMP's default */
    int precision;      /* lmlp_precision */
} lmlp_options;

/* Same bits for every thread count and every division of the centers into blocks, in either precision;
 * `pair_gradients` has the same bits whether or not member results are asked for. `options` may be NULL. */
LMLP_API lmlp_status lmlp_evaluate(const lmlp_potential* potential, const lmlp_environments* environments,
                                   const lmlp_options* options, lmlp_results* results);

#ifdef __cplusplus
}
#endif
#endif /* LMLP_H */
