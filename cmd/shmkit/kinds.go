package main

import (
	"slices"

	"github.com/shmkit/shmkit/internal/kind"
	"github.com/shmkit/shmkit/internal/kind/filekind"
	"github.com/shmkit/shmkit/internal/kind/lockkind"
	"github.com/shmkit/shmkit/internal/kind/mapkind"
	"github.com/shmkit/shmkit/internal/kind/memfdkind"
	"github.com/shmkit/shmkit/internal/kind/posixkind"
	"github.com/shmkit/shmkit/internal/kind/queuekind"
	"github.com/shmkit/shmkit/internal/kind/sysvkind"
	"github.com/shmkit/shmkit/internal/kind/topickind"
)

// allKinds is what the program knows. A new kind is a line here.
func allKinds() *kind.Registry {
	return kind.NewRegistry(slices.Concat(sysvkind.Kinds(),
		[]kind.Kind{posixkind.Objects{}, filekind.Files{}, memfdkind.Descriptors{}, mapkind.Regions{}}, lockkind.Kinds(),
		[]kind.Kind{queuekind.New(), topickind.New()})...)
}
