package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
)

const redacted = "[redacted]"

// Bounds of the files that are read, in bytes.
const (
	// MaxSecret is that of a file with one secret or key.
	MaxSecret = 64 << 10
	// MaxFile is that of the configuration, a kubeconfig, and a bundle of certificates.
	MaxFile = 1 << 20
)

// Secret is text that must not be seen. Every printer, encoder and logger gets
// "[redacted]" from it; only Reveal gives the text. The zero Secret is unset
// and prints as nothing.
type Secret struct {
	// A pointer, so that fmt prints an address where it cannot call methods
	// (a Secret in an unexported field of someone else's struct).
	text *string
}

// NewSecret hides text. Empty text is the zero Secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal is the text itself. Never log, print or store it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero says whether no secret is set.
func (s Secret) IsZero() bool { return s.text == nil }

// String is "[redacted]", or nothing for the zero Secret.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return redacted
}

// GoString is what %#v shows.
func (s Secret) GoString() string { return "config.Secret(" + s.String() + ")" }

// Format answers every verb, so that %d or %x cannot reach the text.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	// A fmt.State keeps its own errors; there is nobody to tell here.
	_, _ = io.WriteString(f, text)
}

// MarshalText serves every encoder that knows encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is the redacted text as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML is the redacted text.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// LogValue is the redacted text.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// ReadSecretFile reads the one secret that the file at path holds, without the
// white space around it. key is the configuration key that named the file,
// such as digitalocean.token_file. The error is a Problem with a hint; it shows
// the path and never the content. Read again whenever the secret is used:
// mounted secrets are rotated.
func ReadSecretFile(path, key string) (Secret, error) { return readText(path, key, MaxSecret) }

func readText(path, key string, limit int64) (Secret, error) {
	data, err := ReadFile(path, limit)
	if err != nil {
		return Secret{}, fileProblem(key, path, err)
	}
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return Secret{}, Problem{
			File: key, Path: key,
			Message: fmt.Sprintf("the file %s is empty", shown(path)),
			Hint:    "write into it what belongs there; white space around it does not count",
		}
	}
	return NewSecret(string(data)), nil
}

type tooLargeError struct{ limit int64 }

func (e tooLargeError) Error() string { return fmt.Sprintf("larger than %d KiB", e.limit>>10) }

var errNotRegular = errors.New("not a regular file")

// ReadFile reads a whole file, or fails before it holds more than limit bytes. It must be a
// regular file, or a link to one: who opens or reads a pipe can wait for ever. Errors are of
// type *fs.PathError.
func ReadFile(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // open(2): a pipe without a writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	switch about, err := f.Stat(); {
	case err != nil:
		return nil, err
	case about.IsDir():
		return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EISDIR}
	case !about.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: errNotRegular}
	}
	return readAtMost(f, path, limit)
}

func readAtMost(f io.Reader, path string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &fs.PathError{Op: "read", Path: path, Err: tooLargeError{limit}}
	}
	return data, nil
}

// fileProblem says why the file at path cannot be used, and where that was
// asked for.
func fileProblem(place, path string, err error) Problem {
	p := Problem{File: place, Path: place}
	var tooLarge tooLargeError
	switch {
	case path == "":
		p.Message, p.Hint = "no file is named", "give the path of a file"
	case errors.Is(err, fs.ErrNotExist):
		p.Message = fmt.Sprintf("there is no file %s", shown(path))
		p.Hint = "check the path; a relative path starts at the folder of the configuration file"
	case errors.Is(err, fs.ErrPermission):
		p.Message = fmt.Sprintf("the file %s may not be read", shown(path))
		p.Hint = "let the user that runs driftprobe read it, for example with chown or fsGroup"
	case errors.Is(err, syscall.EISDIR):
		p.Message = fmt.Sprintf("%s is a folder", shown(path))
		p.Hint = "name the file inside the folder"
	case errors.Is(err, errNotRegular):
		p.Message = fmt.Sprintf("%s is not a regular file", shown(path))
		p.Hint = "name a file, or a link to one: a pipe, socket or device can keep its reader waiting"
	case errors.As(err, &tooLarge):
		p.Message = fmt.Sprintf("the file %s is %v", shown(path), tooLarge)
		p.Hint = "check that this is the right file"
	default:
		var cause *fs.PathError
		if errors.As(err, &cause) {
			err = cause.Err // the path is shown once, escaped
		}
		p.Message = fmt.Sprintf("cannot read the file %s: %v", shown(path), err)
		p.Hint = "check the path and the disk"
	}
	return p
}
