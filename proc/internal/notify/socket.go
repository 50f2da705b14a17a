package notify

// Sender is who has sent a message, as the system has it.
type Sender struct {
	PID int32
	UID uint32
}

// nobody is the user of a sender that is not known.
const nobody = 1<<32 - 1
