package tree

import (
	"context"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"

	proto "github.com/asynkron/protoactor-go/actor"

	"github.com/coppice-go/coppice/internal/guard"
	"github.com/coppice-go/coppice/tree/internal/machine"
)

// mailbox is that of a supervisor, and of an actor whose props name none. It does
// what protoactor's own does, and besides:
//
//   - What a supervisor's machine is told comes in as plain values, and the
//     supervisor takes all there is in one turn. Some of it may go ahead.
//   - Nothing is handled before Started, whoever sends to an address that is known
//     a moment before its actor is complete.
type mailbox struct {
	labels     context.Context // of pprof, for its turns
	hooks      *guard.Hooks    // of an actor of a child; nil: a supervisor's
	invoker    proto.MessageInvoker
	dispatcher proto.Dispatcher
	throughput int // of the dispatcher
	turn       func()

	// Of the turn.
	batch     []any // user messages
	at        int   // the next of them
	suspended bool

	urgent atomic.Bool  // there are system messages
	hasty  atomic.Bool  // there are inputs ahead
	firm   atomic.Int64 // inputs not done yet that none goes ahead of

	_ [64]byte // what senders write is in no cache line that a turn reads for each message

	mu        sync.Mutex
	scheduled bool // a turn is running, or will be
	ready     bool // Started is in
	closed    bool // no inputs any more
	user      fifo
	system    []any
	one       [1]any // room for one of those, which is mostly enough
	inputs    []machine.Input
	ahead     []machine.Input // to be done before those
}

var _ proto.Mailbox = (*mailbox)(nil)

// keepCap bounds the room kept for later inputs.
const keepCap = 4096

// PostUserMessage queues a message, of a batch each part and, as protoactor does,
// the batch.
func (m *mailbox) PostUserMessage(message any) {
	bare := proto.UnwrapEnvelopeMessage(message)
	if batch, ok := bare.(proto.MessageBatch); ok {
		for _, part := range batch.GetMessages() {
			m.PostUserMessage(part)
		}
	}
	if m.hooks == nil && !forSupervisor(bare) {
		return
	}
	m.mu.Lock()
	m.user.push(message)
	m.unlockAndRun()
}

// forSupervisor tells whether a supervisor takes a message that anybody may send: its
// own, and what ends it or asks whether it is there. What protoactor tells an actor of
// itself and its children is no user message, and answers are no code to be run here.
func forSupervisor(message any) bool {
	switch message.(type) {
	case *mailbox, *initialised, *renamed, *proto.PoisonPill, *proto.Touch:
		return true
	}
	return false
}

// PostSystemMessage queues a message that overtakes all others. A supervisor is
// started once, and never suspended or restarted.
func (m *mailbox) PostSystemMessage(message any) {
	m.mu.Lock()
	_, started := message.(*proto.Started)
	if len(m.system) == 0 {
		m.system = m.one[:0]
	}
	switch {
	case started && !m.ready:
		m.ready = true
		m.system = slices.Insert(m.system, 0, message)
	case m.hooks == nil && (started || !systemForSupervisor(message)):
		m.mu.Unlock()
		return
	default:
		m.system = append(m.system, message)
	}
	m.urgent.Store(true)
	m.unlockAndRun()
}

// systemForSupervisor is forSupervisor for what only protoactor should send.
func systemForSupervisor(message any) bool {
	switch message.(type) {
	case *proto.SuspendMailbox, *proto.ResumeMailbox, *proto.Restart:
		return false
	}
	return true
}

// isFirm tells whether no input goes ahead of this one. They do of what there is much
// of in a storm: ends soon after a start.
func isFirm(in *machine.Input) bool {
	switch in.Kind {
	case machine.Ask, machine.Stop, machine.Kill, machine.Unhealthy:
		return true
	case machine.Exited:
		return in.Ahead
	}
	return false
}

// post queues an input of the supervisor.
func (m *mailbox) post(in machine.Input) {
	m.mu.Lock()
	switch {
	case m.closed:
		m.mu.Unlock()
		return
	case in.Ahead && m.firm.Load() == 0:
		m.ahead = append(m.ahead, in)
		m.hasty.Store(true)
	default:
		if isFirm(&in) {
			m.firm.Add(1)
		}
		m.inputs = append(m.inputs, in)
	}
	m.unlockAndRun()
}

// takeAhead returns the next of the inputs ahead.
func (m *mailbox) takeAhead() (in machine.Input, ok bool) {
	if !m.hasty.Load() {
		return in, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.ahead) == 0 {
		return in, false
	}
	in = m.ahead[0]
	m.ahead[0] = machine.Input{}
	if m.ahead = m.ahead[1:]; len(m.ahead) == 0 {
		m.ahead = nil
		m.hasty.Store(false)
	}
	return in, true
}

// take moves the inputs that wait to the end of list.
func (m *mailbox) take(list []machine.Input) []machine.Input {
	m.mu.Lock()
	defer m.mu.Unlock()
	list = append(list, m.inputs...)
	clear(m.inputs)
	if m.inputs = m.inputs[:0]; cap(m.inputs) > keepCap {
		m.inputs = nil
	}
	return list
}

// close drops inputs from now on.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inputs, m.ahead, m.closed = nil, nil, true
}

func (m *mailbox) unlockAndRun() {
	idle := m.ready && !m.scheduled
	if idle {
		m.scheduled = true
	}
	m.mu.Unlock()
	if idle {
		m.dispatcher.Schedule(m.turn)
	}
}

// RegisterHandlers and Start are called once, before anything is handled. Throughput
// may be user code, and is none of a turn's.
func (m *mailbox) RegisterHandlers(invoker proto.MessageInvoker, dispatcher proto.Dispatcher) {
	throughput := max(1, dispatcher.Throughput())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.invoker, m.dispatcher, m.throughput, m.turn = invoker, dispatcher, throughput, m.run
}

func (m *mailbox) Start() {}

// UserMessageCount is how many user messages wait, without those that a turn has taken.
func (m *mailbox) UserMessageCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.user.len()
}

// run is a turn: it handles what there is.
func (m *mailbox) run() {
	pprof.SetGoroutineLabels(m.labels)
	for m.handle() { // again after a panic
	}
}

// handle returns false when nothing is left.
func (m *mailbox) handle() (again bool) {
	var message any
	done := false
	defer func() {
		switch r := recover(); {
		case r != nil:
			m.failed(r, message)
			again = true
		case !done:
			m.lost()
		}
	}()
	for n := 1; ; n++ {
		var what taken
		switch message, what = m.next(); {
		case what == nothing:
			done = true
			return false
		case what == systemMessage:
			m.handleSystem(message)
		case m.hooks != nil:
			m.invoker.InvokeUserMessage(m.hooks.Wrap(message))
			m.hooks.Unwrap()
		default:
			m.invoker.InvokeUserMessage(message)
		}
		if n%m.throughput == 0 {
			runtime.Gosched()
		}
	}
}

// failed is a panic in the middle of a turn. An actor fails by it. It is none of a
// supervisor's own, which survives those: protoactor made nothing of the message.
func (m *mailbox) failed(r, message any) {
	if m.hooks != nil {
		m.invoker.EscalateFailure(r, message)
	} else if c, ok := m.invoker.(proto.Context); ok {
		c.Logger().Error("message dropped", "self", c.Self(), "message", message, "panic", r)
	}
}

// lost is a runtime.Goexit in the middle of a turn. An actor ends by it; a supervisor,
// which should not come to that, goes on.
func (m *mailbox) lost() {
	if m.hooks != nil {
		m.hooks.Lost(m.invoker)
		return
	}
	m.dispatcher.Schedule(m.turn)
}

func (m *mailbox) handleSystem(message any) {
	switch message.(type) {
	case *proto.SuspendMailbox:
		m.suspended = true
	case *proto.ResumeMailbox:
		m.suspended = false
	case *proto.Started:
		m.invoker.InvokeSystemMessage(message)
		if c, ok := m.invoker.(proto.Context); ok && m.hooks != nil {
			m.hooks.Begun(c)
		}
	default:
		m.invoker.InvokeSystemMessage(message)
	}
}

// taken is what next has taken from the mailbox.
type taken uint8

const (
	nothing taken = iota // the end of the turn
	systemMessage
	userMessage // nil is one, too
)

// next returns the message whose turn it is: m itself stands for the inputs.
func (m *mailbox) next() (message any, what taken) {
	if !m.urgent.Load() && !m.suspended && m.at < len(m.batch) {
		return m.nextOfBatch(), userMessage
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.system) > 0 {
		message = m.system[0]
		m.system[0] = nil
		if m.system = m.system[1:]; len(m.system) == 0 {
			m.system, m.one[0] = nil, nil // which the first of more is in still
			m.urgent.Store(false)
		}
		return message, systemMessage
	}
	if !m.suspended {
		if m.at == len(m.batch) {
			m.batch, m.at = m.user.pop(m.batch), 0
		}
		switch {
		case m.at < len(m.batch):
			return m.nextOfBatch(), userMessage
		case len(m.inputs) > 0 || len(m.ahead) > 0:
			return m, userMessage
		}
	}
	m.scheduled = false
	return nil, nothing
}

func (m *mailbox) nextOfBatch() any {
	message := m.batch[m.at]
	m.batch[m.at] = nil
	m.at++
	return message
}
