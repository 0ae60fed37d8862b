/* torch_backend.h - C interface of the TorchScript backend, a library apart from the core.
 *
 * lmlp_torch_backend.so is built on the user's machine against their torch (`lmlp build-torch-backend`) and
 * opened on request. It evaluates the TorchScript half of a model file. Types of torch never cross this
 * border; arrays, units, signs and statuses are those of lmlp.h. Nothing throws, prints or aborts across it.
 *
 * Functions are looked up by name (dlsym) with the types lmlp_torch_<name>_function below.
 */
#ifndef LMLP_TORCH_BACKEND_H
#define LMLP_TORCH_BACKEND_H

#include "lmlp/lmlp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when something below, or a struct of lmlp.h used here, changes incompatibly. */
#define LMLP_TORCH_BACKEND_ABI_VERSION 2

#define LMLP_TORCH_BACKEND_FILE "lmlp_torch_backend.so"

typedef struct lmlp_torch_model lmlp_torch_model; /* opaque; for one thread at a time */

typedef struct lmlp_torch_backend_info {
    size_t struct_size;         /* sizeof(lmlp_torch_backend_info), set by the caller */
    const char* torch_version;  /* of the build, e.g. "2.13.0+cpu" */
    const char* loaded_version; /* of the torch that is in this process, "" where it cannot be told */
    const char* loaded_folder;  /* where that torch lies */
    int n_cuda_devices;         /* visible ones; 0 also where torch was built without CUDA */
} lmlp_torch_backend_info;

typedef struct lmlp_torch_options {
    size_t struct_size; /* sizeof(lmlp_torch_options) */
    const char* device; /* "cpu" or "cuda" */
    int device_index;   /* of cuda: taken modulo the number of visible devices */
    int n_threads;      /* of torch on the CPU; 0: torch's own default */
} lmlp_torch_options;

/* lmlp_torch_backend_abi_version: LMLP_TORCH_BACKEND_ABI_VERSION of the build. */
typedef int (*lmlp_torch_backend_abi_version_function)(void);

/* lmlp_torch_backend_last_error: message of this thread's last failure, "" if none. */
typedef const char* (*lmlp_torch_backend_last_error_function)(void);

/* lmlp_torch_backend_get_info: the strings live as long as the library. */
typedef lmlp_status (*lmlp_torch_backend_get_info_function)(lmlp_torch_backend_info* info);

/* lmlp_torch_model_load: the file's checksum is the core's affair; load it there first. */
typedef lmlp_status (*lmlp_torch_model_load_function)(const char* path, const lmlp_torch_options* options,
                                                      lmlp_torch_model** model);

/* lmlp_torch_model_free: NULL is allowed. */
typedef void (*lmlp_torch_model_free_function)(lmlp_torch_model* model);

/* lmlp_torch_model_device: "cpu" or "cuda:0", ...; lives as long as the model. */
typedef const char* (*lmlp_torch_model_device_function)(const lmlp_torch_model* model);

/* lmlp_torch_evaluate: as lmlp_evaluate, except that `extrapolating` must be NULL (the core counts).
 * `pair_gradients` has the same bits whether or not member results are asked for. */
typedef lmlp_status (*lmlp_torch_evaluate_function)(lmlp_torch_model* model,
                                                    const lmlp_environments* environments,
                                                    lmlp_results* results);

#ifdef __cplusplus
}
#endif
#endif /* LMLP_TORCH_BACKEND_H */
