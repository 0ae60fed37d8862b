// The setup path of pair_style lmlp: settings, model file, runs, restart files, and what other commands may
// extract.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "atom.h"
#include "comm.h"
#include "common/ranks.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neighbor.h"
#include "pair/fix_lmlp_step.h"
#include "pair/pair_lmlp.h"
#include "pair/restart_words.h"
#include "update.h"

#ifdef LMLP_HAVE_CITEME
#include "citeme.h"
#endif

using namespace LAMMPS_NS;
using lmlp_plugin::TypedModel;
using lmlp_plugin::Uncertainty;

namespace {

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

// The same from any folder; `path` itself where there is no such file any more.
std::string absolute(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> found(::realpath(path.c_str(), nullptr), &std::free);
    return found ? found.get() : path;
}

}  // namespace

PairLMLP::PairLMLP(LAMMPS* lmp)
    : Pair(lmp), wishes_(lmp), answers_(lmp), fix_pair_fields_(lmp, instance_me), limits_(lmp) {
    single_enable = 0;  // no pair energy: pair_write and compute group/group are refused by LAMMPS
    one_coeff = 1;
    manybody_flag = 1;
    respa_enable = 0;
    centroidstressflag = CENTROID_AVAIL;
    comm_reverse = Uncertainty::kValuesPerMessage;
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
    const lmlp_plugin::Thresholds thresholds = limits_.find_thresholds(settings, model_, units_);
    model_.choose_engine(settings, lmp);
    settings_ = settings;
    settings_words_.assign(arg, arg + narg);
    limits_.use(thresholds);
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
    TypedModel loaded;
    loaded.choose_engine(settings_, lmp);
    lmlp_plugin::end_all_ranks_if(loaded.load(arg[2]), "Pair style lmlp", lmp);
    use_model(loaded, std::vector<std::string>(arg + 3, arg + narg));
}

// Loaded on all ranks. What fails changes nothing: the model before stays in use.
void PairLMLP::use_model(TypedModel& loaded, const std::vector<std::string>& symbols) {
    loaded.map_types(symbols, lmp);
    const lmlp_plugin::Thresholds thresholds = limits_.find_thresholds(settings_, loaded, units_);
    if (!allocated) allocate();
    model_ = std::move(loaded);
    limits_.use(thresholds);
    answers_.set_model(model_.model(), units_);
    cutoff_ = model_.info().cutoff / units_.angstrom_per_length;
    n_members_ = model_.info().n_members;
    nextra = answers_.vector().length();
    pvector = answers_.vector().data();
    const std::vector<int>& species = model_.species_of_type();
    const int n_types = static_cast<int>(symbols.size());
    for (int i = 1; i <= n_types; ++i)
        for (int j = i; j <= n_types; ++j) setflag[i][j] = species[i] >= 0 && species[j] >= 0 ? 1 : 0;
    model_.log(settings_, lmp);
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
    surroundings_checked_ = false;
    exclusions_.begin_run();
    wishes_.begin_run();
    answers_.begin_run();
    fix_pair_fields_.begin_run();
    limits_.begin_run();
}

double PairLMLP::init_one(int i, int j) {
    if (setflag[i][j] == 0)
        error->all(FLERR, "Pair style lmlp has no model for the atom types {} and {}: pair_coeff gives NULL",
                   i, j);
    scale_[j][i] = scale_[i][j];
    return cutoff_;
}

// Asked by fix pair for its trigger flags, by fix adapt for scale, and open to others.
void* PairLMLP::extract(const char* name, int& dim) {
    const std::string what = name;
    dim = 0;
    for (int k = 0; k < lmlp_plugin::kFieldCount; ++k) {
        if (what != std::string(lmlp_plugin::kFieldNames[k]) + "_flag") continue;
        const auto field = static_cast<lmlp_plugin::Field>(k);
        lmlp_plugin::Wishes::require(field, model_, lmp);
        return wishes_.flag(field);
    }
    if (what == "cutoff") return &cutoff_;
    if (what == "n_members") return &n_members_;
    dim = 2;
    if (what == "scale") return scale_;
    return nullptr;
}

void PairLMLP::write_restart_settings(FILE* file) {
    lmlp_plugin::write_words(settings_words_, file);
}

void PairLMLP::read_restart_settings(FILE* file) {
    std::vector<std::string> words = lmlp_plugin::read_words(file, lmp);
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    settings(static_cast<int>(words.size()), arguments.data());
}

// Behind the settings: the model's file as it was named and as it was found, its checksum, the symbols.
void PairLMLP::write_restart(FILE* file) {
    write_restart_settings(file);
    if (!model_.is_loaded()) return lmlp_plugin::write_words({}, file);
    std::vector<std::string> words{model_.path(), absolute(model_.found_path()), model_.info().checksum};
    for (int type = 1; type <= atom->ntypes; ++type)
        words.push_back(model_.symbol_of_type(type).empty() ? "NULL" : model_.symbol_of_type(type));
    lmlp_plugin::write_words(words, file);
}

// Without the model of that run the restart file is still good: the input has to name one.
void PairLMLP::read_restart(FILE* file) {
    read_restart_settings(file);
    const std::vector<std::string> words = lmlp_plugin::read_words(file, lmp);
    if (!allocated) allocate();
    if (words.size() < 3) return;
    TypedModel loaded;
    loaded.choose_engine(settings_, lmp);
    const std::string problem = loaded.load_stored({words[0], words[1]}, words[2], lmp);
    if (problem.empty()) return use_model(loaded, {words.begin() + 3, words.end()});
    if (comm->me == 0)
        error->warning(FLERR,
                       "Pair style lmlp: the model of the restart file is not used ({}); give pair_coeff to "
                       "name one",
                       problem);
}
