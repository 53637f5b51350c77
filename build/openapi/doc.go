// Command openapi prints the description of the inspector's API, from which the
// page's types are generated. `make api` writes both; `make check` fails when
// they are not what this command prints.
package main
