package strategies

import (
	"fmt"
	"strings"
)

// An enumeration is a uint8 whose constants count from 0; names holds the text of
// each.

func valid[E ~uint8](e E, names []string) bool { return int(e) < len(names) }

func text[E ~uint8](e E, names []string, kind string) string {
	if !valid(e, names) {
		return fmt.Sprintf("%s(%d)", kind, uint8(e))
	}
	return names[e]
}

func marshal[E ~uint8](e E, names []string, kind string) ([]byte, error) {
	if !valid(e, names) {
		return nil, fmt.Errorf("unknown %s", text(e, names, kind))
	}
	return []byte(names[e]), nil
}

// unmarshal leaves *e alone if b is none of names, in which an underscore stands
// for a hyphen.
func unmarshal[E ~uint8](e *E, b []byte, names []string, kind string) error {
	s := strings.ReplaceAll(string(b), "_", "-")
	for i, name := range names {
		if s == name {
			*e = E(i)
			return nil
		}
	}
	return fmt.Errorf("unknown %s %q: want %s", kind, b, strings.Join(names, ", "))
}
