package proc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// asker is a Probe that is asked again and again.
type asker interface {
	Probe
	// ask returns nil if all is well. It honours ctx.
	ask(ctx context.Context, p *process) error
}

// TCP is a Probe: something accepts connections at Address, "host:port".
type TCP struct{ Address string }

// Unix is a Probe: something accepts connections at the stream socket Path. A relative
// one is relative to the working directory of this program, not to Dir.
type Unix struct{ Path string }

// HTTP is a Probe: GET URL is answered with Status; 0: with any from 200 to 399. The
// answer's body is not read. Redirects are not followed, proxies not used. A user and
// password in URL are sent, unless Header has an Authorization, and the password is
// shown nowhere. A Host in Header is sent instead of URL's.
type HTTP struct {
	URL    string
	Status int
	Header http.Header
}

// File is a Probe: there is a file Path that was written to since the process was
// started, so that one left by an earlier run does not count. As in Command, a
// relative one is relative to Dir. It is for readiness only.
type File struct{ Path string }

// Exec is a Probe: the program Path ends with exit code 0. It is run as a Command
// is, with the Command's directory and environment, and when its time is up it is
// killed with all it has started.
type Exec struct {
	Path string
	Args []string
}

func (t TCP) String() string  { return "TCP " + t.Address }
func (u Unix) String() string { return "Unix " + u.Path }
func (h HTTP) String() string { return "HTTP " + h.shown() }
func (f File) String() string { return "File " + f.Path }
func (e Exec) String() string { return "Exec " + e.Path }

const hiddenURL = "(a malformed URL)"

// shown is the URL without a password.
func (h HTTP) shown() string {
	u, err := url.Parse(h.URL)
	switch {
	case err == nil:
		return u.Redacted()
	case strings.Contains(h.URL, "@"): // there may be one in it
		return hiddenURL
	}
	return h.URL
}

func (t TCP) validate() error {
	host, port, err := net.SplitHostPort(t.Address)
	switch {
	case err != nil:
		return fmt.Errorf("TCP: Address: %w", err)
	case host == "":
		return fmt.Errorf("TCP: Address: no host: %q", t.Address)
	}
	n, err := net.LookupPort("tcp", port)
	switch {
	case err != nil:
		return fmt.Errorf("TCP: Address: %w", err)
	case n == 0:
		return fmt.Errorf("TCP: Address: no port: %q", t.Address)
	}
	return nil
}

// maxUnixPath is without the NUL byte at its end.
const maxUnixPath = len(syscall.RawSockaddrUnix{}.Path) - 1

func (u Unix) validate() error {
	switch {
	case u.Path == "" || strings.ContainsRune(u.Path, 0):
		return fmt.Errorf("Unix: Path: empty, or contains a NUL byte: %q", u.Path)
	case len(u.Path) > maxUnixPath:
		return fmt.Errorf("Unix: Path: more than %d bytes: %q", maxUnixPath, u.Path)
	}
	return nil
}

func (h HTTP) validate() error {
	u, err := url.Parse(h.URL)
	switch {
	case err != nil && h.shown() == hiddenURL:
		return errors.New("HTTP: URL: malformed")
	case err != nil:
		return fmt.Errorf("HTTP: URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("HTTP: URL: not http://host or https://host: %q", h.shown())
	case h.Status != 0 && (h.Status < 100 || h.Status > 599):
		return fmt.Errorf("HTTP: Status: not 100 to 599: %d", h.Status)
	}
	// What net/http itself would say, which refuses before it heeds the context.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.ask(ctx, nil); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("HTTP: Header: %w", err)
	}
	return nil
}

func (File) onlyOfStart() {}

func (f File) validate() error {
	if f.Path == "" || strings.ContainsRune(f.Path, 0) {
		return fmt.Errorf("File: Path: empty, or contains a NUL byte: %q", f.Path)
	}
	return nil
}

func (e Exec) validate() error {
	if err := (&Command{Path: e.Path, Args: e.Args}).Validate(); err != nil {
		return fmt.Errorf("Exec: %w", err)
	}
	return nil
}

func (t TCP) ask(ctx context.Context, _ *process) error  { return dial(ctx, "tcp", t.Address) }
func (u Unix) ask(ctx context.Context, _ *process) error { return dial(ctx, "unix", u.Path) }

func dial(ctx context.Context, network, address string) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (h HTTP) ask(ctx context.Context, _ *process) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return err
	}
	if u := req.URL.User; u != nil {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	for key, values := range h.Header {
		req.Header[http.CanonicalHeaderKey(key)] = values
	}
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	req.Close = true
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if h.Status == resp.StatusCode || h.Status == 0 && resp.StatusCode >= 200 && resp.StatusCode < 400 {
		return nil
	}
	return fmt.Errorf("status %s", resp.Status)
}

// coarse is how far a file's time may be behind the clock.
const coarse = 20 * time.Millisecond

func (f File) ask(_ context.Context, p *process) error {
	info, err := os.Stat(p.cmd.in(f.Path))
	if err == nil && info.ModTime().Before(p.startedAt.Add(-coarse)) {
		err = fmt.Errorf("%s: older than the process", f.Path)
	}
	return err
}

func (e Exec) ask(ctx context.Context, p *process) error {
	return p.beside(ctx, e.Path, e.Args)
}
