package strategies

// Strategy is which siblings the failure of a child takes along. The zero value
// is OneForOne.
type Strategy uint8

const (
	// OneForOne: the failed child alone is restarted.
	OneForOne Strategy = iota
	// OneForAll: all children are.
	OneForAll
	// RestForOne: the failed child and those started after it are.
	RestForOne
)

var strategyNames = []string{"one-for-one", "one-for-all", "rest-for-one"}

// Valid tells whether s is one of the constants.
func (s Strategy) Valid() bool { return valid(s, strategyNames) }

// String is "one-for-one", "one-for-all" or "rest-for-one".
func (s Strategy) String() string { return text(s, strategyNames, "Strategy") }

// MarshalText writes s as String does. An unknown value is an error.
func (s Strategy) MarshalText() ([]byte, error) { return marshal(s, strategyNames, "Strategy") }

// UnmarshalText reads what MarshalText writes, and OTP's spelling with
// underscores. Other text is an error and leaves s as it was.
func (s *Strategy) UnmarshalText(b []byte) error { return unmarshal(s, b, strategyNames, "Strategy") }

// Affected returns the children that the failure of child i of n touches, itself
// included, as the half-open range [lo, hi) of indices in start order. If i is
// not in [0, n) the range is empty. An unknown strategy is read as OneForOne.
func (s Strategy) Affected(i, n int) (lo, hi int) {
	switch {
	case i < 0 || i >= n:
		return 0, 0
	case s == OneForAll:
		return 0, n
	case s == RestForOne:
		return i, n
	}
	return i, i + 1
}
