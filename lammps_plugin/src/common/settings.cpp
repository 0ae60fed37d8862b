#include "common/settings.h"

#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "error.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {
namespace {

constexpr const char* kKeywords =
    "backend native|torchscript, device cpu|cuda, precision double|mixed, threads N, "
    "rmin R|data warn|stop, rmin off, "
    "extrapolation warn|stop|off, sigma forces|energies";

class Parser {
  public:
    Parser(int narg, char** arg, LAMMPS* lmp) : words_(arg, arg + narg), lmp_(lmp) {}

    Settings parse() {
        while (position_ < words_.size()) {
            const std::string keyword = words_[position_++];
            if (keyword == "backend")
                settings_.backend = choose(keyword, {"native", "torchscript"}) == 0 ? Backend::kNative
                                                                                    : Backend::kTorchScript;
            else if (keyword == "precision")
                settings_.precision =
                    choose(keyword, {"double", "mixed"}) == 0 ? Precision::kDouble : Precision::kMixed;
            else if (keyword == "device")
                settings_.device = choose(keyword, {"cpu", "cuda"}) == 0 ? "cpu" : "cuda";
            else if (keyword == "threads")
                parse_threads();
            else if (keyword == "rmin")
                parse_rmin();
            else if (keyword == "extrapolation")
                settings_.extrapolation = parse_reaction(keyword);
            else if (keyword == "sigma")
                settings_.sigma =
                    choose(keyword, {"forces", "energies"}) == 0 ? SigmaOf::kForces : SigmaOf::kEnergies;
            else
                fail("unknown keyword '" + keyword + "'");
        }
        if (std::strcmp(settings_.device, "cuda") == 0 && settings_.backend == Backend::kNative)
            fail("'device cuda' needs 'backend torchscript'; the native backend computes on the CPU");
        if (settings_.precision == Precision::kMixed && settings_.backend == Backend::kTorchScript)
            fail("'precision mixed' needs 'backend native'; the torchscript backend computes in double");
        return settings_;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        // The text may hold braces (a file name, say): passed as an argument, never as the format.
        lmp_->error->all(FLERR, "Pair style lmlp: {}; allowed: {}", what, kKeywords);
        std::terminate();  // older LAMMPS does not say that error->all never returns
    }

    const std::string& value_of(const std::string& keyword) {
        if (position_ >= words_.size()) fail("keyword '" + keyword + "' lacks its value");
        return words_[position_++];
    }

    // Index of the value among those allowed.
    std::size_t choose(const std::string& keyword, const std::vector<std::string>& allowed) {
        const std::string& value = value_of(keyword);
        for (std::size_t k = 0; k < allowed.size(); ++k)
            if (value == allowed[k]) return k;
        fail("'" + keyword + " " + value + "' is unknown");
    }

    void parse_threads() {
        settings_.n_threads = utils::inumeric(FLERR, value_of("threads"), false, lmp_);
        if (settings_.n_threads < 1)
            fail("'threads " + std::to_string(settings_.n_threads) + "' must be 1 or more");
    }

    void parse_rmin() {
        const std::string text = value_of("rmin");
        settings_.rmin = 0.0;
        settings_.rmin_given = true;
        settings_.rmin_reaction = Reaction::kOff;
        if (text == "off") return;
        if (text != "data") {
            settings_.rmin = utils::numeric(FLERR, text, false, lmp_);
            if (!(settings_.rmin > 0.0)) fail("'rmin " + text + "' must be above 0");
        }
        settings_.rmin_reaction = parse_reaction("rmin " + text);
        if (settings_.rmin_reaction == Reaction::kOff) fail("'rmin " + text + " off' is just 'rmin off'");
    }

    Reaction parse_reaction(const std::string& keyword) {
        const std::string& value = value_of(keyword);
        if (value == "off") return Reaction::kOff;
        if (value == "warn") return Reaction::kWarn;
        if (value == "stop") return Reaction::kStop;
        fail("'" + keyword + " " + value + "' is unknown");
    }

    std::vector<std::string> words_;
    LAMMPS* lmp_;
    std::size_t position_ = 0;
    Settings settings_;
};

}  // namespace

Settings parse_settings(int narg, char** arg, LAMMPS* lmp) {
    return Parser(narg, arg, lmp).parse();
}

}  // namespace lmlp_plugin
