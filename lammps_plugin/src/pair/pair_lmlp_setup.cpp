// The setup path of pair_style lmlp: settings, model file, types, checks, and what other commands may
// extract.
#include <cmath>
#include <cstring>
#include <limits>

#include "atom.h"
#include "comm.h"
#include "common/ranks.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neighbor.h"
#include "pair/fix_lmlp_step.h"
#include "pair/pair_lmlp.h"
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
    if (copymode) return;
    if (!step_fix_id_.empty()) FixLMLPStep::remove(step_fix_id_.c_str(), lmp);
    if (!allocated) return;
    memory->destroy(setflag);
    memory->destroy(cutsq);
    memory->destroy(scale_);
}

// Given once more, it changes the settings of a model that is there. What fails changes nothing.
void PairLMLP::settings(int narg, char** arg) {
    const auto units = lmlp_plugin::find_units(update->unit_style);
    if (!units)
        error->all(FLERR, "Pair style lmlp cannot be used with units {}; allowed: {}", update->unit_style,
                   lmlp_plugin::list_unit_styles());
    const lmlp_plugin::Settings settings = lmlp_plugin::parse_settings(narg, arg, lmp);
    units_ = *units;  // cannot change while there is a box
    lmlp_plugin::DistanceLimits limits;
    if (model_.is_loaded()) {
        if (settings.extrapolation != Reaction::kOff) require_feature_ranges(model_);
        limits = make_distance_limits(settings, model_);
    }
    choose_engine(settings, model_);
    settings_ = settings;
    settings_words_.assign(arg, arg + narg);
    limits_ = limits;
}

// All ranks together. What fails leaves the model as it is.
void PairLMLP::choose_engine(const lmlp_plugin::Settings& settings, lmlp_plugin::Model& model) const {
    std::unique_ptr<lmlp_plugin::TorchBackend> torch;
    lmlp_torch_options options{};
    if (settings.backend == lmlp_plugin::Backend::kTorchScript) {
        const int rank = std::strcmp(settings.device, "cuda") == 0 ? lmlp_plugin::rank_on_machine(lmp) : 0;
        options = {sizeof(lmlp_torch_options), settings.device, rank, settings.n_threads};
        end_all_ranks_if(model.open_torch_backend(options, torch));
    }
    model.use_engine(std::move(torch), options);
}

// LAMMPS takes the words one by one and stops at the first one it does not know.
void PairLMLP::modify_params(int narg, char** arg) {
    const int flags[] = {compute_flag, mix_flag, offset_flag, tail_flag, no_virial_fdotr_compute};
    try {
        Pair::modify_params(narg, arg);
    } catch (...) {
        compute_flag = flags[0];
        mix_flag = flags[1];
        offset_flag = flags[2];
        tail_flag = flags[3];
        no_virial_fdotr_compute = flags[4];
        throw;
    }
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
    LoadedModel loaded;
    choose_engine(settings_, loaded.model);
    end_all_ranks_if(load_model(arg[2], loaded));
    use_model(loaded, std::vector<std::string>(arg + 3, arg + narg));
}

// Every rank reads the file, with the engine chosen before. Returns "" or what is wrong.
std::string PairLMLP::load_model(const std::string& file, LoadedModel& loaded) const {
    loaded.path = file;
    loaded.found_path = utils::get_potential_file_path(file);
    if (loaded.found_path.empty()) loaded.found_path = file;
    const std::string problem = loaded.model.load(loaded.found_path);
    return problem.empty() ? "" : fmt::format("cannot load {}: {}", file, problem);
}

// After load_model() on all ranks. What fails changes nothing: the model before stays in use.
void PairLMLP::use_model(LoadedModel& loaded, const std::vector<std::string>& symbols) {
    map_types(symbols, loaded);
    if (settings_.extrapolation != Reaction::kOff) require_feature_ranges(loaded.model);
    const lmlp_plugin::DistanceLimits limits = make_distance_limits(settings_, loaded.model);
    if (!allocated) allocate();
    limits_ = limits;
    model_ = std::move(loaded.model);
    model_path_ = loaded.path;
    found_path_ = loaded.found_path;
    species_of_type_ = loaded.species_of_type;
    symbol_of_type_ = loaded.symbol_of_type;
    cutoff_ = model_.info().cutoff / units_.angstrom_per_length;
    sigma_valid_ = extrapolation_valid_ = false;
    const int n_types = static_cast<int>(symbols.size());
    for (int i = 1; i <= n_types; ++i)
        for (int j = i; j <= n_types; ++j)
            setflag[i][j] = species_of_type_[i] >= 0 && species_of_type_[j] >= 0 ? 1 : 0;
    setup_vector();
    log_model();
}

void PairLMLP::map_types(const std::vector<std::string>& symbols, LoadedModel& loaded) const {
    const int n_types = static_cast<int>(symbols.size());
    loaded.species_of_type.assign(n_types + 1, -1);
    loaded.symbol_of_type.assign(n_types + 1, "");
    int n_ours = 0;
    for (int type = 1; type <= n_types; ++type) {
        const std::string& symbol = symbols[type - 1];
        if (symbol == "NULL") continue;
        std::string problem;
        loaded.species_of_type[type] = loaded.model.find_species(symbol, problem);
        if (loaded.species_of_type[type] < 0)
            error->all(FLERR, "Pair style lmlp: pair_coeff gives '{}' for atom type {}: {}", symbol, type,
                       problem);
        loaded.symbol_of_type[type] = symbol;
        ++n_ours;
    }
    if (n_ours == 0) error->all(FLERR, "Pair style lmlp: pair_coeff gives NULL for every atom type");
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
    if (step_fix_id_.empty()) step_fix_id_ = fmt::format("LMLP_STEP_{}", instance_me);
    FixLMLPStep::add_last(step_fix_id_.c_str(), this, lmp);
    surroundings_checked_ = exclusions_told_ = false;
    findings_ = {};
    values_step_ = asked_step_ = columns_step_ = -1;
    has_new_marks_ = false;
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
void PairLMLP::check_surroundings() {
    check_bond_fixes();
    const double comm_cutoff = MAX(comm->cutghostuser, neighbor->cutneighmax);
    if (comm_cutoff < cutoff_)
        error->all(FLERR,
                   "Pair style lmlp: the communication cutoff {:g} is smaller than the model's cutoff {:g}; "
                   "raise it with comm_modify cutoff",
                   comm_cutoff, cutoff_);
    surroundings_checked_ = true;
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

void PairLMLP::require_feature_ranges(const lmlp_plugin::Model& model) const {
    if (model.is_loaded() && !model.info().has_feature_ranges)
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
        require_feature_ranges(model_);
        return &wanted_.ew;
    }
    if (what == "cutoff") return &cutoff_;
    if (what == "n_members") return &n_members_;
    dim = 2;
    if (what == "scale") return scale_;
    return nullptr;
}
