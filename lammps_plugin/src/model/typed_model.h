// What pair_coeff gives: a model file and the element of each atom type.
#ifndef LMLP_LAMMPS_TYPED_MODEL_H
#define LMLP_LAMMPS_TYPED_MODEL_H

#include <string>
#include <vector>

#include "common/settings.h"
#include "model/model.h"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace lmlp_plugin {

// Owns the model, where its file was found, and the species of the atom types. Another one takes its place as
// a whole, after everything that may fail.
class TypedModel {
  public:
    TypedModel() = default;
    TypedModel& operator=(TypedModel&& other) noexcept = default;

    // What evaluates from now on, a model that is loaded already included. All ranks together; what fails
    // leaves the model as it is.
    void choose_engine(const Settings& settings, LAMMPS_NS::LAMMPS* lmp);
    // Every rank reads the file, with the engine chosen before. Returns "" or what is wrong.
    std::string load(const std::string& file);
    // Of a run before: loads the first of these files that is the model with this checksum. All ranks
    // together; returns "" or what is wrong with the last.
    std::string load_stored(const std::vector<std::string>& files, const std::string& checksum,
                            LAMMPS_NS::LAMMPS* lmp);
    // One symbol per atom type, NULL for those of other pair styles. After load() on all ranks.
    void map_types(const std::vector<std::string>& symbols, LAMMPS_NS::LAMMPS* lmp);
    // Tells the log what evaluates the model, on rank 0.
    void log(const Settings& settings, LAMMPS_NS::LAMMPS* lmp) const;

    // Each ends the run with an error unless the model has what `wanted` needs; says nothing of no model.
    void require_members(const char* wanted, LAMMPS_NS::LAMMPS* lmp) const;
    void require_test_errors(const char* wanted, LAMMPS_NS::LAMMPS* lmp) const;
    void require_feature_ranges(LAMMPS_NS::LAMMPS* lmp) const;
    void require_distance(LAMMPS_NS::LAMMPS* lmp) const;
    // A distance will do. Likewise, and with an error where there is no model yet.
    void require_grade_or_distance(const char* wanted_by, LAMMPS_NS::LAMMPS* lmp) const;

    bool is_loaded() const { return model_.is_loaded(); }
    const Model& model() const { return model_; }
    const lmlp_potential_info& info() const { return model_.info(); }
    const std::string& path() const { return path_; }              // as pair_coeff names it
    const std::string& found_path() const { return found_path_; }  // where it was found
    // [ntypes + 1] -1 for types of other pair styles.
    const std::vector<int>& species_of_type() const { return species_of_type_; }
    const std::string& symbol_of_type(int type) const { return symbol_of_type_[type]; }  // "" for NULL

  private:
    Model model_;
    std::string path_;
    std::string found_path_;
    std::vector<int> species_of_type_;
    std::vector<std::string> symbol_of_type_;
};

}  // namespace lmlp_plugin

#endif
