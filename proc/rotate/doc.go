// Package rotate writes the output of processes to files that are rotated by size
// and time, and thinned out by count and age.
//
//	log := &rotate.File{Path: "/var/log/thumbs.log", MaxSize: 10 << 20, MaxFiles: 5}
//	tree.Child{Name: "thumbs", Service: &proc.Command{Path: "thumbnailer", Stdout: log, Stderr: log}}
//
// The file that is written to has always the name Path. When it is full it is
// renamed, with the time and the reason between name and extension:
// thumbs-2026-01-02T15-04-05.000000-size.log, or -time.log, and with Compress .gz
// behind it. Only files with such names are ever removed.
//
// A line is never divided between two files, nor mixed with those of another
// process or stream, if it has no more than 64 KiB; it is written when its end has
// come. One without an end gets it when its process ends.
//
// What cannot be written, because the disk is full or the directory is not there
// or not writable, is dropped, counted and logged by proc, which tries again every
// second. A file that somebody else has renamed, removed or truncated is opened
// anew within a second, at the next line: no signal is needed after a logrotate.
//
// Renaming, removing and compressing is github.com/DeRuina/timberjack's. It writes
// to os.Stderr what fails while it removes or compresses.
package rotate
