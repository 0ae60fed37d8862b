// Arguments of fix lmlp/select.
#ifndef LMLP_LAMMPS_SELECT_SETTINGS_H
#define LMLP_LAMMPS_SELECT_SETTINGS_H

#include <limits>
#include <string>

#include "lmptype.h"

namespace LAMMPS_NS {
class LAMMPS;
}

namespace lmlp_plugin {

// Thresholds are those of `lmlp md`: of grades and of the distance from the training data; without spread
// maps twice them of the forces' grade.
struct SelectSettings {
    int every = 1;  // steps
    std::string file;
    double save = 3.0;
    double stop = std::numeric_limits<double>::infinity();  // never
    LAMMPS_NS::bigint gap = 5;                              // steps
    LAMMPS_NS::bigint max = 250;                            // structures in the file
    double min_distance = 0.65;                             // Angstrom
    int instance = 0;  // which pair_style lmlp of a hybrid style; 0: the only one
};

// The words behind `fix ID group lmlp/select`. Ends the run with an error that lists what is allowed when
// something is not.
SelectSettings parse_select_settings(int narg, char** arg, double angstrom_per_length,
                                     LAMMPS_NS::LAMMPS* lmp);

}  // namespace lmlp_plugin

#endif
