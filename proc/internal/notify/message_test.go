package notify

import (
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestMessage(t *testing.T) {
	for text, want := range map[string]Message{
		"":                                         {},
		"\n\r\n":                                   {},
		"READY=1":                                  {Ready: true},
		"READY=1\n\x00\x00":                        {Ready: true},
		"READY=1\x00STOPPING=1":                    {},
		"READY=0\nREADY=1":                         {},
		"READY=1\r\nREADY=0":                       {Ready: true},
		"ready=1\n READY=1\nREADY\nX=Y=Z":          {},
		"RELOADING=1\nMONOTONIC_USEC=12":           {Reloading: true, At: 12},
		"STOPPING=1\nERRNO=2":                      {Stopping: true, Errno: syscall.ENOENT},
		"ERRNO=-2\nERRNO=":                         {},
		"ERRNO=99999999":                           {},
		"WATCHDOG=1":                               {Alive: true},
		"WATCHDOG=trigger":                         {Trigger: true},
		"WATCHDOG=2":                               {},
		"WATCHDOG_USEC=1500":                       {Every: new(1500 * time.Microsecond)},
		"WATCHDOG_USEC=0":                          {Every: new(time.Duration(0))},
		"WATCHDOG_USEC=18446744073709551615":       {Every: new(time.Duration(0))},
		"WATCHDOG_USEC=18446744073709551616":       {},
		"EXTEND_TIMEOUT_USEC=2000000":              {Extend: 2 * time.Second},
		"EXTEND_TIMEOUT_USEC=9999999999999999999":  {Extend: forever},
		"EXTEND_TIMEOUT_USEC=18446744073709551615": {},
		"EXTEND_TIMEOUT_USEC=1s":                   {},
		"STATUS=":                                  {Status: new("")},
		"STATUS=a=b\tc\x1b[31m ":                   {Status: new("a=b c [31m")},
		"STATUS=\xff\u2028x":                       {Status: new("\uFFFD x")},
		"MAINPID=1\nBARRIER=1\nFDSTORE=1":          {MainPID: "1"},
	} {
		require.Equal(t, want, Parse(text), "%q", text)
	}
}

func TestMessageOfALongStatus(t *testing.T) {
	long := *Parse("STATUS=x" + strings.Repeat("木", 500)).Status
	require.Equal(t, "x"+strings.Repeat("木", 170)+" …", long)
}

func FuzzMessage(f *testing.F) {
	f.Add("READY=1\nSTATUS=x\nERRNO=1\nWATCHDOG_USEC=9\nEXTEND_TIMEOUT_USEC=1")
	f.Fuzz(func(t *testing.T, text string) {
		m := Parse(text)
		require.GreaterOrEqual(t, m.Extend, time.Duration(0))
		if m.Status != nil {
			require.True(t, utf8.ValidString(*m.Status))
			require.NotContains(t, *m.Status, "\n")
			require.LessOrEqual(t, len(*m.Status), 3*statusWidth+len(" …"))
		}
	})
}
