package keeper

// Setup is what a process does to itself before it executes its program.
type Setup struct {
	Umask       int // -1: inherited
	Nice        int // added to what is inherited
	OOMScoreAdj *int
	Limits      []Rlimit
	Credential  *Credential
	PIDEnv      []string // variables that are to hold the pid
}

// Rlimit is a resource limit by its number. The name is for errors.
type Rlimit struct {
	Name       string
	Resource   int
	Soft, Hard uint64
}

// Credential is whom the process runs as.
type Credential struct {
	UID, GID uint32
	Groups   []uint32
}

// SetupError says which step of a Setup failed.
type SetupError struct {
	Step  string
	Limit int // which of Limits, from 1 on; 0: it was no limit
	Err   error
}

func (e *SetupError) Error() string { return e.Step + ": " + e.Err.Error() }

// Unwrap returns the system's error.
func (e *SetupError) Unwrap() error { return e.Err }

// name says which limit it was.
func (e *SetupError) name(s *Setup) {
	if s != nil && e.Limit > 0 && e.Limit <= len(s.Limits) {
		e.Step += " " + s.Limits[e.Limit-1].Name
	}
}
