// All kernels of one instruction set: a kernel file defines LMLP_KERNEL and LMLP_WIDTH and includes this.
#pragma once

#include "kernels/descriptor/center.hpp"
#include "kernels/jacobian.hpp"
#include "kernels/kernel_api.hpp"
#include "kernels/network/distance.hpp"
#include "kernels/network/network.hpp"

namespace lmlp::LMLP_KERNEL {
namespace {

// Constant: nothing of an instruction set may run before dispatch.cpp has chosen it.
consteval Kernels make_kernels(const char* name) {
    return {name,    LMLP_WIDTH,     features, backward, tangent,
            network, network_single, distance, jacobian, jacobian_single};
}

}  // namespace
}  // namespace lmlp::LMLP_KERNEL
