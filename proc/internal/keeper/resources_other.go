//go:build !linux

package keeper

// Resources are the numbers of resources that can be limited, by name; nil where a
// Setup cannot be carried out.
var Resources map[string]int
