#include "step/virial.h"

namespace lmlp_plugin {

void add_virial(const VirialTargets& targets, int i, int j, const double r[3], const double g[3]) {
    const double w[9] = {-r[0] * g[0], -r[1] * g[1], -r[2] * g[2], -r[0] * g[1], -r[0] * g[2],
                         -r[1] * g[2], -r[1] * g[0], -r[2] * g[0], -r[2] * g[1]};
    if (targets.global != nullptr)
        for (int k = 0; k < 6; ++k) targets.global[k] += w[k];
    if (targets.per_atom != nullptr)
        for (int k = 0; k < 6; ++k) {
            targets.per_atom[i][k] += 0.5 * w[k];
            targets.per_atom[j][k] += 0.5 * w[k];
        }
    if (targets.centroid != nullptr)
        for (int k = 0; k < 9; ++k) targets.centroid[j][k] += w[k];
}

}  // namespace lmlp_plugin
