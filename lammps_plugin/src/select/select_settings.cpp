#include "select/select_settings.h"

#include <exception>
#include <vector>

#include "error.h"
#include "lammps.h"
#include "utils.h"

using namespace LAMMPS_NS;

namespace lmlp_plugin {
namespace {

constexpr const char* kUsage =
    "fix ID group lmlp/select N file [save G] [stop G|off] [gap N] [max N] [mindist R] [instance K]";

class Parser {
  public:
    Parser(int narg, char** arg, double angstrom_per_length, LAMMPS* lmp)
        : words_(arg, arg + narg), angstrom_per_length_(angstrom_per_length), lmp_(lmp) {}

    SelectSettings parse() {
        settings_.every = static_cast<int>(whole_number("N", 1));
        settings_.file = value_of("file");
        while (position_ < words_.size()) parse_keyword(words_[position_++]);
        if (settings_.stop < settings_.save)
            fail(fmt::format("'stop {:g}' must not be below 'save {:g}'", settings_.stop, settings_.save));
        return settings_;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        // The text may hold braces (a file name, say): passed as an argument, never as the format.
        lmp_->error->all(FLERR, "Fix lmlp/select: {}; usage: {}", what, kUsage);
        std::terminate();  // older LAMMPS does not say that error->all never returns
    }

    void parse_keyword(const std::string& keyword) {
        if (keyword == "save")
            settings_.save = grade(keyword);
        else if (keyword == "stop")
            parse_stop();
        else if (keyword == "gap")
            settings_.gap = whole_number(keyword, 1);
        else if (keyword == "max")
            settings_.max = whole_number(keyword, 0);
        else if (keyword == "mindist")
            parse_min_distance();
        else if (keyword == "instance")
            settings_.instance = static_cast<int>(whole_number(keyword, 1));
        else
            fail("unknown keyword '" + keyword + "'");
    }

    const std::string& value_of(const std::string& keyword) {
        if (position_ >= words_.size()) fail("'" + keyword + "' is missing its value");
        return words_[position_++];
    }

    bigint whole_number(const std::string& keyword, bigint smallest) {
        const std::string& text = value_of(keyword);
        const bigint value = utils::bnumeric(FLERR, text, false, lmp_);
        if (value < smallest || value > MAXSMALLINT)
            fail(fmt::format("{} is '{}'; it must be {} or more", keyword, text, smallest));
        return value;
    }

    double grade(const std::string& keyword) {
        const std::string& text = value_of(keyword);
        const double value = utils::numeric(FLERR, text, false, lmp_);
        if (!(value >= 1.0)) fail("'" + keyword + " " + text + "' must be 1 or more: thresholds start at 1");
        return value;
    }

    void parse_stop() {
        if (position_ < words_.size() && words_[position_] == "off") {
            settings_.stop = std::numeric_limits<double>::infinity();
            ++position_;
        } else
            settings_.stop = grade("stop");
    }

    void parse_min_distance() {
        const std::string& text = value_of("mindist");
        const double value = utils::numeric(FLERR, text, false, lmp_);
        if (!(value >= 0.0)) fail("'mindist " + text + "' must be 0 or more");
        settings_.min_distance = value * angstrom_per_length_;
    }

    std::vector<std::string> words_;
    double angstrom_per_length_;
    LAMMPS* lmp_;
    std::size_t position_ = 0;
    SelectSettings settings_;
};

}  // namespace

SelectSettings parse_select_settings(int narg, char** arg, double angstrom_per_length, LAMMPS* lmp) {
    return Parser(narg, arg, angstrom_per_length, lmp).parse();
}

}  // namespace lmlp_plugin
