#include "select/candidate_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>

namespace lmlp_plugin {
namespace {

// In the comment line of every structure: how a file of ours is known.
constexpr const char* kMark = "lmlp_checksum=";

// The shortest text that is read back to the same bits.
void append_number(std::string& text, double value) {
    std::array<char, 32> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    text.append(digits.data(), end);
}

void append_three(std::string& text, const double* values) {
    for (int k = 0; k < 3; ++k) {
        text += ' ';
        append_number(text, values[k]);
    }
}

void append_entry(std::string& text, const char* name, double value) {
    if (!std::isnan(value)) append_number(text.append(" ").append(name).append("="), value);
}

std::string quote(const std::string& value) {
    std::string text = "\"";
    for (const char c : value) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
    }
    return text + '"';
}

struct Scan {
    int64_t n_structures = 0;
    int64_t n_whole_bytes = 0;
    std::string problem;
};

// Counts structures as far as they are whole.
class Scanner {
  public:
    explicit Scanner(const std::string& path) : file_(path, std::ios::binary) {}

    Scan scan() {
        Scan result;
        while (next_structure(result.problem)) {
            ++result.n_structures;
            result.n_whole_bytes = position_;
        }
        if (file_.bad()) result.problem = "cannot be read";
        return result;
    }

  private:
    // A line without its end is none: the write of it was cut short.
    bool next_line() {
        if (!std::getline(file_, line_) || file_.eof()) return false;
        position_ += static_cast<int64_t>(line_.size()) + 1;
        ++number_;
        return true;
    }

    bool next_structure(std::string& problem) {
        if (!next_line()) return false;
        int64_t n_atoms = 0;
        const auto [end, code] = std::from_chars(line_.data(), line_.data() + line_.size(), n_atoms);
        if (code != std::errc{} || end != line_.data() + line_.size() || n_atoms < 1) {
            problem = "line " + std::to_string(number_) + " is not the number of atoms of a structure";
            return false;
        }
        if (!next_line()) return false;
        if (line_.find(kMark) == std::string::npos) {
            problem = "line " + std::to_string(number_) + " has no " + kMark;
            return false;
        }
        for (int64_t atom = 0; atom < n_atoms; ++atom)
            if (!next_line()) return false;
        return true;
    }

    std::ifstream file_;
    std::string line_;
    int64_t position_ = 0;
    int64_t number_ = 0;
};

std::string system_message() {
    return std::strerror(errno);
}

}  // namespace

std::string format_candidate(const Candidate& candidate) {
    std::string text = std::to_string(candidate.atoms.size()) + "\nLattice=\"";
    for (int row = 0; row < 3; ++row)
        for (int k = 0; k < 3; ++k) {
            if (row + k > 0) text += ' ';
            append_number(text, candidate.cell[row][k]);
        }
    text += "\" Properties=species:S:1:pos:R:3:id:I:1";
    if (candidate.has_uncertainties) text += ":lmlp_forces_uncertainty:R:3";
    if (candidate.has_grades) text += ":lmlp_grades:R:1";
    if (candidate.has_distances) text += ":lmlp_distances:R:1";
    text += " step=" + std::to_string(candidate.step);
    text += " lmlp_model=" + quote(candidate.model);
    text += ' ' + std::string(kMark) + quote(candidate.checksum);
    append_entry(text, "lmlp_energy_grade", candidate.energy_grade);
    append_entry(text, "lmlp_force_grade", candidate.force_grade);
    append_entry(text, "lmlp_energy_uncertainty", candidate.energy_uncertainty);
    append_entry(text, "lmlp_distance", candidate.largest_distance);
    text += " pbc=\"";
    for (int k = 0; k < 3; ++k) {
        if (k > 0) text += ' ';
        text += candidate.periodic[k] ? 'T' : 'F';
    }
    text += "\"\n";
    for (const auto& atom : candidate.atoms) {
        text += atom.symbol;
        append_three(text, atom.position);
        text += ' ' + std::to_string(atom.id);
        if (candidate.has_uncertainties) append_three(text, atom.force_uncertainty);
        if (candidate.has_grades) append_number(text += ' ', atom.grade);
        if (candidate.has_distances) append_number(text += ' ', atom.distance);
        text += '\n';
    }
    return text;
}

CandidateFile::~CandidateFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

std::string CandidateFile::open(const std::string& path, std::string& note) {
    path_ = path;
    descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0) return "cannot write " + path + ": " + system_message();
    // A file system without locks is no reason to stop.
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return path + " is being written by another run or another fix; choose another name";
    struct stat facts{};
    if (::fstat(descriptor_, &facts) != 0) return "cannot read " + path + ": " + system_message();
    if (facts.st_size == 0) return "";

    const Scan found = Scanner(path).scan();
    const std::string advice = "; choose another name, or remove that file";
    if (!found.problem.empty())
        return path + " exists and was not written by fix lmlp/select: " + found.problem + advice;
    if (found.n_structures == 0)
        return path + " exists and holds no whole structure of fix lmlp/select" + advice;
    n_structures_ = found.n_structures;
    if (found.n_whole_bytes == facts.st_size) return "";
    if (::ftruncate(descriptor_, found.n_whole_bytes) != 0)
        return "cannot cut the incomplete last structure of " + path + ": " + system_message();
    note = path + " ended within a structure, as a killed run leaves it: " +
           std::to_string(facts.st_size - found.n_whole_bytes) + " bytes behind structure " +
           std::to_string(n_structures_) + " were cut off";
    return "";
}

std::string CandidateFile::append(const std::string& text) {
    const off_t start = ::lseek(descriptor_, 0, SEEK_END);
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t n = ::write(descriptor_, text.data() + done, text.size() - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            const std::string reason = n < 0 ? system_message() : "no space";
            if (start >= 0 && ::ftruncate(descriptor_, start) != 0)
                return "cannot write to " + path_ + ": " + reason + "; its last structure is incomplete";
            return "cannot write to " + path_ + ": " + reason;
        }
        done += static_cast<std::size_t>(n);
    }
    ::fdatasync(descriptor_);  // pipes and some file systems have none; the data are with the system anyhow
    ++n_structures_;
    return "";
}

}  // namespace lmlp_plugin
