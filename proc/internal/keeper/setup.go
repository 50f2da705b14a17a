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

// Rlimit is a resource limit by its number.
type Rlimit struct {
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
	Index int // of the limit
	Err   error
}

func (e *SetupError) Error() string { return e.Step + ": " + e.Err.Error() }

// Unwrap returns the system's error.
func (e *SetupError) Unwrap() error { return e.Err }
