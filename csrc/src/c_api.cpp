// lmlp.h: checks, calls, and turns every exception into a status and a message.
#include <cstddef>
#include <cstring>
#include <limits>
#include <new>
#include <string>

#include "lmlp/error.hpp"
#include "lmlp/lmlp.h"
#include "lmlp/potential.hpp"
#include "lmlp/runtime.hpp"

struct lmlp_potential {
    lmlp::Potential potential;
};

namespace {

using lmlp::Error;
using lmlp::ErrorCode;

static_assert(static_cast<int>(ErrorCode::internal) == LMLP_ERROR_INTERNAL);
static_assert(static_cast<int>(ErrorCode::not_finite) == LMLP_ERROR_NOT_FINITE);
static_assert(static_cast<int>(ErrorCode::geometry) == LMLP_ERROR_GEOMETRY);

// Messages must survive without memory: what does not fit is cut off.
thread_local char last_error[4096] = "";

lmlp_status fail(ErrorCode code, const char* message) noexcept {
    std::strncpy(last_error, message, sizeof(last_error) - 1);
    last_error[sizeof(last_error) - 1] = '\0';
    return static_cast<lmlp_status>(code);
}

template <class Body>
lmlp_status guarded(Body body) noexcept {
    try {
        body();
        return LMLP_OK;
    } catch (const Error& error) {
        return fail(error.code(), error.what());
    } catch (const std::bad_alloc&) {
        return fail(ErrorCode::internal, "not enough memory");
    } catch (const std::exception& error) {
        return fail(ErrorCode::internal, error.what());
    } catch (...) {
        return fail(ErrorCode::internal, "unknown exception");
    }
}

void require(const void* pointer, const char* name) {
    if (pointer == nullptr) throw Error(ErrorCode::invalid_argument, std::string(name) + " is NULL");
}

// Structs only grow at their end: a caller of an older header passes a smaller size, whose missing members
// are zero; a caller of a newer one a larger size, whose further members must be zero, since they would be
// ignored.
template <class Struct>
Struct read_struct(const Struct* given, std::size_t smallest, const char* name) {
    require(given, name);
    std::size_t size = 0;
    std::memcpy(&size, given, sizeof(size));
    if (size < smallest || size > 65536)
        throw Error(ErrorCode::invalid_argument, std::string(name) + "->struct_size is " +
                                                     std::to_string(size) + ", must be sizeof(" + name +
                                                     "), here " + std::to_string(sizeof(Struct)));
    Struct known = {};
    std::memcpy(static_cast<void*>(&known), given, size < sizeof(Struct) ? size : sizeof(Struct));
    const auto* bytes = reinterpret_cast<const unsigned char*>(given);
    for (std::size_t i = sizeof(Struct); i < size; ++i)
        if (bytes[i] != 0)
            throw Error(ErrorCode::invalid_argument,
                        std::string(name) + " is of a newer version of lmlp.h " +
                            "and asks for something that this core does not know");
    return known;
}

lmlp_potential_info describe(const lmlp::PotentialInfo& info) {
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    lmlp_potential_info out = {};
    out.n_elements = static_cast<int>(info.elements.size());
    out.n_members = info.n_members;
    out.n_features = info.n_features;
    out.cutoff = info.cutoff;
    out.energy_rmse = info.energy_rmse.value_or(unknown);
    out.force_rmse = info.force_rmse.value_or(unknown);
    out.energy_uncertainty_factor = info.energy_uncertainty_factor;
    out.force_uncertainty_factor = info.force_uncertainty_factor;
    out.has_feature_ranges = info.has_feature_ranges ? 1 : 0;
    out.checksum = info.checksum.c_str();
    out.has_spread_maps = info.spread_maps ? 1 : 0;
    out.has_distance = info.has_distance ? 1 : 0;
    return out;
}

void check_species(const lmlp::PotentialInfo& info, int species) {
    const int n = static_cast<int>(info.elements.size());
    if (species < 0 || species >= n)
        throw Error(ErrorCode::unknown_element,
                    "species is " + std::to_string(species) + ", allowed are 0 to " + std::to_string(n - 1));
}

// *sigma of a spread by the map that `choose` takes from those of the model.
template <class Choose>
lmlp_status map_spread(const lmlp_potential* potential, double spread, double* sigma,
                       Choose choose) noexcept {
    return guarded([&] {
        require(potential, "potential");
        require(sigma, "sigma");
        const lmlp::PotentialInfo& info = potential->potential.info();
        if (!info.spread_maps)
            throw Error(ErrorCode::uncertainty,
                        "the model file holds no spread maps: sigma is a factor times the spread");
        *sigma = choose(info).sigma(spread);
    });
}

}  // namespace

extern "C" {

const char* lmlp_version(void) {
    return LMLP_VERSION;
}

int lmlp_abi_version(void) {
    return LMLP_ABI_VERSION;
}

const char* lmlp_last_error(void) {
    return last_error;
}

const char* lmlp_instruction_set(void) {
    thread_local std::string name;
    const lmlp_status status = guarded([] { name = lmlp::instruction_set(); });
    return status == LMLP_OK ? name.c_str() : "unknown";
}

lmlp_status lmlp_potential_load(const char* path, lmlp_potential** potential) {
    return guarded([&] {
        require(potential, "potential");
        *potential = nullptr;
        require(path, "path");
        *potential = new lmlp_potential{lmlp::Potential::load(path)};
    });
}

void lmlp_potential_free(lmlp_potential* potential) {
    delete potential;
}

lmlp_status lmlp_potential_get_info(const lmlp_potential* potential, lmlp_potential_info* info) {
    return guarded([&] {
        require(potential, "potential");
        require(info, "info");
        const std::size_t size = info->struct_size;
        if (size < sizeof(size) || size > 65536)
            throw Error(ErrorCode::invalid_argument,
                        "info->struct_size is " + std::to_string(size) + ", must be sizeof(*info)");
        lmlp_potential_info out = describe(potential->potential.info());
        out.struct_size = size;
        std::memset(static_cast<void*>(info), 0, size);
        std::memcpy(static_cast<void*>(info), &out, size < sizeof(out) ? size : sizeof(out));
    });
}

lmlp_status lmlp_potential_atomic_number(const lmlp_potential* potential, int species, int* number) {
    return guarded([&] {
        require(potential, "potential");
        require(number, "number");
        check_species(potential->potential.info(), species);
        *number = potential->potential.info().atomic_numbers[species];
    });
}

lmlp_status lmlp_potential_shortest_distance(const lmlp_potential* potential, int species, int other,
                                             double* distance) {
    return guarded([&] {
        require(potential, "potential");
        require(distance, "distance");
        const lmlp::PotentialInfo& info = potential->potential.info();
        const int n = static_cast<int>(info.elements.size());
        for (const int s : {species, other}) check_species(info, s);
        *distance = info.shortest_distances[static_cast<std::size_t>(species) * n + other];
    });
}

lmlp_status lmlp_potential_species(const lmlp_potential* potential, const char* symbol, int* species) {
    return guarded([&] {
        require(potential, "potential");
        require(symbol, "symbol");
        require(species, "species");
        *species = potential->potential.species(symbol);
    });
}

lmlp_status lmlp_sigma_force(const lmlp_potential* potential, int species, double spread, double* sigma) {
    return map_spread(potential, spread, sigma, [&](const lmlp::PotentialInfo& info) {
        check_species(info, species);
        return info.spread_maps->forces[species];
    });
}

lmlp_status lmlp_sigma_energy(const lmlp_potential* potential, double spread, double* sigma) {
    return map_spread(potential, spread, sigma,
                      [](const lmlp::PotentialInfo& info) { return info.spread_maps->energy; });
}

lmlp_status lmlp_sigma_virial(const lmlp_potential* potential, double spread, double* sigma) {
    return map_spread(potential, spread, sigma,
                      [](const lmlp::PotentialInfo& info) { return info.spread_maps->stress; });
}

lmlp_status lmlp_evaluate(const lmlp_potential* potential, const lmlp_environments* environments,
                          const lmlp_options* options, lmlp_results* results) {
    return guarded([&] {
        require(potential, "potential");
        // what the first version of the header had is the least that makes sense
        const auto given = read_struct(environments, sizeof(lmlp_environments), "environments");
        const auto wanted = read_struct(results, offsetof(lmlp_results, distances), "results");
        lmlp_options chosen = {};
        if (options != nullptr) chosen = read_struct(options, sizeof(lmlp_options), "options");
        if (chosen.n_threads < 0)
            throw Error(ErrorCode::invalid_argument, "options->n_threads is " +
                                                         std::to_string(chosen.n_threads) +
                                                         ", allowed is 0 or a positive number");
        if (chosen.precision != LMLP_PRECISION_DOUBLE && chosen.precision != LMLP_PRECISION_MIXED)
            throw Error(ErrorCode::invalid_argument, "options->precision is " +
                                                         std::to_string(chosen.precision) +
                                                         ", allowed are 0 (double) and 1 (mixed)");
        const lmlp::Environments centers{given.n_centers, given.offsets, given.neighbor_species,
                                         given.vectors};
        const lmlp::PotentialResults out{wanted.energies,        wanted.pair_gradients,
                                         wanted.member_energies, wanted.member_pair_gradients,
                                         wanted.extrapolating,   wanted.distances};
        potential->potential.evaluate(centers, given.center_species, out,
                                      {chosen.n_threads, static_cast<lmlp::Precision>(chosen.precision)});
    });
}

}  // extern "C"
