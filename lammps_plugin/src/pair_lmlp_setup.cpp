// The setup path of pair_style lmlp: settings, model file, types, checks, and what other commands may
// extract.
#include <cmath>
#include <cstring>
#include <limits>

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neighbor.h"
#include "pair_lmlp.h"
#include "ranks.h"
#include "update.h"

#ifdef LMLP_HAVE_CITEME
#include "citeme.h"
#endif

using namespace LAMMPS_NS;
using lmlp_plugin::Reaction;
using lmlp_plugin::Uncertainty;

namespace {

constexpr int kFixedVectorEntries = 6;  // before the energies and the pressures of the members

[[maybe_unused]] constexpr const char* kCitation =
    "pair_style lmlp: doi:10.1021/acs.jctc.3c00279\n\n"
    "@Article{EckhoffReiher2023,\n"
    " author =  {Eckhoff, Marco and Reiher, Markus},\n"
    " title =   {Lifelong Machine Learning Potentials},\n"
    " journal = {Journal of Chemical Theory and Computation},\n"
    " volume =  19,\n"
    " pages =   {3509--3525},\n"
    " year =    2023\n"
    "}\n\n";

}  // namespace

PairLMLP::PairLMLP(LAMMPS* lmp) : Pair(lmp) {
    single_enable = 0;  // no pair energy: pair_write and compute group/group are refused by LAMMPS
    one_coeff = 1;
    manybody_flag = 1;
    respa_enable = 0;
    centroidstressflag = CENTROID_AVAIL;
    comm_reverse = 3 * Uncertainty::kMembersPerMessage;
#ifdef LMLP_HAVE_CITEME
    if (lmp->citeme) lmp->citeme->add(kCitation);
#endif
}

PairLMLP::~PairLMLP() {
    if (copymode || !allocated) return;
    memory->destroy(setflag);
    memory->destroy(cutsq);
    memory->destroy(scale_);
}

void PairLMLP::settings(int narg, char** arg) {
    const auto units = lmlp_plugin::find_units(update->unit_style);
    if (!units)
        error->all(FLERR, "Pair style lmlp cannot be used with units {}; allowed: {}", update->unit_style,
                   lmlp_plugin::list_unit_styles());
    units_ = *units;
    settings_ = lmlp_plugin::parse_settings(narg, arg, lmp);
    settings_words_.assign(arg, arg + narg);
    choose_engine();
}

void PairLMLP::choose_engine() {
    if (settings_.backend == lmlp_plugin::Backend::kNative) return model_.use_core();
    const int rank = std::strcmp(settings_.device, "cuda") == 0 ? lmlp_plugin::rank_on_machine(lmp) : 0;
    end_all_ranks_if(
        model_.use_torch_backend({sizeof(lmlp_torch_options), settings_.device, rank, settings_.n_threads}));
}

void PairLMLP::allocate() {
    const int n = atom->ntypes;
    memory->create(setflag, n + 1, n + 1, "pair:setflag");
    memory->create(cutsq, n + 1, n + 1, "pair:cutsq");
    memory->create(scale_, n + 1, n + 1, "pair:scale");
    for (int i = 0; i <= n; ++i)
        for (int j = 0; j <= n; ++j) {
            setflag[i][j] = 0;
            cutsq[i][j] = 0.0;
            scale_[i][j] = 1.0;
        }
    allocated = 1;
}

void PairLMLP::coeff(int narg, char** arg) {
    const int ntypes = atom->ntypes;
    if (narg < 4 || std::strcmp(arg[0], "*") != 0 || std::strcmp(arg[1], "*") != 0)
        error->all(
            FLERR,
            "Pair style lmlp needs 'pair_coeff * * model.pt' and one chemical symbol (or NULL) per atom "
            "type");
    if (narg - 3 != ntypes)
        error->all(FLERR,
                   "Pair style lmlp: pair_coeff gives {} chemical symbols, but there are {} atom types; give "
                   "one symbol per type, NULL for types of other pair styles",
                   narg - 3, ntypes);
    end_all_ranks_if(load_model(arg[2]));
    use_model(arg[2], std::vector<std::string>(arg + 3, arg + narg));
}

// Every rank reads the file. Returns "" or what is wrong.
std::string PairLMLP::load_model(const std::string& file) {
    std::string path = utils::get_potential_file_path(file);
    if (path.empty()) path = file;
    const std::string problem = model_.load(path);
    if (!problem.empty()) return fmt::format("cannot load {}: {}", file, problem);
    found_path_ = path;
    return "";
}

// After load_model() on all ranks.
void PairLMLP::use_model(const std::string& file, const std::vector<std::string>& symbols) {
    if (!allocated) allocate();
    model_path_ = file;
    map_types(symbols);
    if (settings_.extrapolation != Reaction::kOff) require_feature_ranges();
    set_distance_limits();
    cutoff_ = model_.info().cutoff / units_.angstrom_per_length;
    setup_vector();
    log_model();
}

void PairLMLP::map_types(const std::vector<std::string>& symbols) {
    const int n_types = static_cast<int>(symbols.size());
    species_of_type_.assign(n_types + 1, -1);
    symbol_of_type_.assign(n_types + 1, "");
    int n_ours = 0;
    for (int type = 1; type <= n_types; ++type) {
        const std::string& symbol = symbols[type - 1];
        if (symbol == "NULL") continue;
        std::string problem;
        species_of_type_[type] = model_.find_species(symbol, problem);
        if (species_of_type_[type] < 0)
            error->all(FLERR, "Pair style lmlp: pair_coeff gives '{}' for atom type {}: {}", symbol, type,
                       problem);
        symbol_of_type_[type] = symbol;
        ++n_ours;
    }
    if (n_ours == 0) error->all(FLERR, "Pair style lmlp: pair_coeff gives NULL for every atom type");
    for (int i = 1; i <= n_types; ++i)
        for (int j = i; j <= n_types; ++j)
            setflag[i][j] = species_of_type_[i] >= 0 && species_of_type_[j] >= 0 ? 1 : 0;
}

// compute pair reads nextra when it is defined and pvector on its steps. A one-member model has no vector.
void PairLMLP::setup_vector() {
    n_members_ = model_.info().n_members;
    nextra = n_members_ > 1 ? kFixedVectorEntries + 2 * n_members_ : 0;
    // Not shorter than an earlier model's: a compute pair may know that one's length.
    const double not_known = comm->me == 0 ? std::numeric_limits<double>::quiet_NaN() : 0.0;
    vector_.assign(MAX(vector_.size(), static_cast<std::size_t>(nextra)), not_known);
    if (nextra > 0 && comm->me == 0) vector_[kFixedVectorEntries - 1] = -1.0;  // no step yet
    pvector = vector_.empty() ? nullptr : vector_.data();
}

void PairLMLP::log_model() const {
    if (comm->me != 0) return;
    const lmlp_potential_info& info = model_.info();
    utils::logmesg(lmp,
                   "Pair style lmlp {}: {} with {} ensemble member{}, {} symmetry functions, cutoff {:g} "
                   "Angstrom\n",
                   lmlp_version(), model_path_, info.n_members, info.n_members == 1 ? "" : "s",
                   info.n_features, info.cutoff);
    const lmlp_plugin::TorchBackend* torch = model_.torch_backend();
    const std::string backend = torch ? "torchscript (" + torch->description() + ")"
                                      : fmt::format("native ({})", lmlp_instruction_set());
    utils::logmesg(lmp, "  backend {}, precision {}, {} thread{} per MPI rank, model {:.12}\n", backend,
                   settings_.precision == lmlp_plugin::Precision::kMixed ? "mixed" : "double",
                   settings_.n_threads, settings_.n_threads == 1 ? "" : "s", info.checksum);
    if (info.n_members == 1)
        utils::logmesg(lmp, "  one member: no uncertainties, compute pair has no vector\n");
    if (!model_.has_test_errors()) utils::logmesg(lmp, "  no test errors in the model: no grade\n");
}

void PairLMLP::init_style() {
    if (force->newton_pair == 0)
        error->all(FLERR, "Pair style lmlp needs newton pair on; this input sets newton pair off");
    if (utils::strmatch(update->integrate_style, "^respa"))
        error->all(FLERR, "Pair style lmlp cannot be used with run_style {}; allowed: verlet",
                   update->integrate_style);
    neighbor->add_request(this, NeighConst::REQ_FULL);
    neighbors_checked_ = false;
    counts_ = {};
}

double PairLMLP::init_one(int i, int j) {
    if (setflag[i][j] == 0)
        error->all(FLERR, "Pair style lmlp has no model for the atom types {} and {}: pair_coeff gives NULL",
                   i, j);
    scale_[j][i] = scale_[i][j];
    return cutoff_;
}

// Before the first evaluation of a run: what it looks at is set by Neighbor::init(), after init_style().
void PairLMLP::check_neighbors() {
    if (neighbor->exclude && comm->me == 0)
        error->warning(FLERR,
                       "Pair style lmlp: pairs left out by neigh_modify exclude are missing in the atomic "
                       "environments, too");
    const double comm_cutoff = MAX(comm->cutghostuser, neighbor->cutneighmax);
    if (comm_cutoff < cutoff_)
        error->all(FLERR,
                   "Pair style lmlp: the communication cutoff {:g} is smaller than the model's cutoff {:g}; "
                   "raise it with comm_modify cutoff",
                   comm_cutoff, cutoff_);
    neighbors_checked_ = true;
}

void PairLMLP::require_members(const char* wanted) const {
    if (model_.is_loaded() && model_.info().n_members < 2)
        error->all(
            FLERR,
            "Pair style lmlp cannot give {}: the model has one ensemble member, an uncertainty needs two "
            "or more",
            wanted);
}

void PairLMLP::require_test_errors(const char* wanted) const {
    require_members(wanted);
    if (model_.is_loaded() && !model_.has_test_errors())
        error->all(FLERR,
                   "Pair style lmlp cannot give {}: the model stores no test errors (test_rmse) to compare "
                   "uncertainties with",
                   wanted);
}

void PairLMLP::require_grade(const char* wanted_by) const {
    if (!model_.is_loaded())
        error->all(FLERR, "Pair style lmlp has no model yet: give pair_coeff before {}", wanted_by);
    require_test_errors(fmt::format("the grades that {} needs", wanted_by).c_str());
}

void PairLMLP::require_feature_ranges() const {
    if (model_.is_loaded() && !model_.info().has_feature_ranges)
        error->all(
            FLERR,
            "Pair style lmlp cannot tell extrapolation (ew): the model stores no training ranges of its "
            "symmetry functions");
}

// Asked by fix pair for its trigger flags, by fix adapt for scale, and open to others.
void* PairLMLP::extract(const char* name, int& dim) {
    const std::string what = name;
    dim = 0;
    if (what == "sigma_f_flag") {
        require_members("sigma_f");
        return &wanted_.sigma_f;
    }
    if (what == "sigma_e_flag") {
        require_members("sigma_e");
        return &wanted_.sigma_e;
    }
    if (what == "grade_flag") {
        require_test_errors("grade");
        return &wanted_.grade;
    }
    if (what == "ew_flag") {
        require_feature_ranges();
        return &wanted_.ew;
    }
    if (what == "cutoff") return &cutoff_;
    if (what == "n_members") return &n_members_;
    dim = 2;
    if (what == "scale") return scale_;
    return nullptr;
}

// nullptr where the latest compute() did not evaluate the field: fix pair makes an error of it.
void* PairLMLP::extract_peratom(const char* name, int& n_columns) {
    const std::string what = name;
    n_columns = 0;
    if (what == "ew" && extrapolation_valid_) return extrapolating_.data();
    if (!sigma_valid_) return nullptr;
    if (what == "sigma_f") return uncertainty_.sigma_force.data();
    if (what == "sigma_e") return uncertainty_.sigma_energy.data();
    if (what == "grade") return uncertainty_.grade.data();
    return nullptr;
}
