package strategies

// Restart is which ends of a child are followed by a restart. The zero value is
// Permanent.
type Restart uint8

const (
	// Permanent: restarted after any end.
	Permanent Restart = iota
	// Transient: restarted after an abnormal end only.
	Transient
	// Temporary: never restarted.
	Temporary
)

var restartNames = []string{"permanent", "transient", "temporary"}

// Valid tells whether r is one of the constants.
func (r Restart) Valid() bool { return valid(r, restartNames) }

// String is "permanent", "transient" or "temporary".
func (r Restart) String() string { return text(r, restartNames, "Restart") }

// MarshalText writes r as String does. An unknown value is an error.
func (r Restart) MarshalText() ([]byte, error) { return marshal(r, restartNames, "Restart") }

// UnmarshalText reads what MarshalText writes. Other text is an error and leaves
// r as it was.
func (r *Restart) UnmarshalText(b []byte) error { return unmarshal(r, b, restartNames, "Restart") }

// Restarts tells whether a child of this type is restarted after it has ended by
// itself, abnormally or not. An unknown type never is.
func (r Restart) Restarts(abnormal bool) bool {
	return r == Permanent || r == Transient && abnormal
}
