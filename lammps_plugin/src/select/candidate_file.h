// The file of fix lmlp/select: extended XYZ that only ever grows by whole structures.
#ifndef LMLP_LAMMPS_CANDIDATE_FILE_H
#define LMLP_LAMMPS_CANDIDATE_FILE_H

#include <cstdint>
#include <string>
#include <vector>

namespace lmlp_plugin {

// One structure for labeling; Angstrom, eV. Numbers of the whole that are NaN are not written.
struct Candidate {
    // What is written of the atoms.
    bool has_uncertainties = true;
    bool has_grades = false;
    bool has_distances = false;
    struct Atom {
        std::string symbol;
        int64_t id = 0;
        double position[3] = {0.0, 0.0, 0.0};
        double force_uncertainty[3] = {0.0, 0.0, 0.0};
        double grade = 0.0;
        double distance = 0.0;
    };
    double cell[3][3] = {};  // rows as vectors
    bool periodic[3] = {true, true, true};
    int64_t step = 0;
    std::string model;     // the file as it was named
    std::string checksum;  // SHA-256 of its content
    double energy_grade = 0.0;
    double force_grade = 0.0;
    double energy_uncertainty = 0.0;
    double largest_distance = 0.0;  // of all atoms of the pair style
    std::vector<Atom> atoms;
};

// The lines of one structure; numbers are read back to the same bits. The names are those of `lmlp md`: none
// of them is taken for a label by training.
std::string format_candidate(const Candidate& candidate);

class CandidateFile {
  public:
    CandidateFile() = default;
    ~CandidateFile();
    CandidateFile(const CandidateFile&) = delete;
    CandidateFile& operator=(const CandidateFile&) = delete;

    // Opens a new file, or one of this kind to continue it. Returns "" or what is wrong; `note` tells of a
    // last structure that a killed run has left incomplete: it is cut off.
    std::string open(const std::string& path, std::string& note);

    // Appends a structure by one write and brings it to the disk; a write that fails leaves no part of it.
    // Returns "" or what is wrong.
    std::string append(const std::string& text);

    int64_t n_structures() const { return n_structures_; }

  private:
    std::string path_;
    int descriptor_ = -1;
    int64_t n_structures_ = 0;
};

}  // namespace lmlp_plugin

#endif
