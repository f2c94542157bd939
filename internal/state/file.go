package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// file is the Place that is a file. It is not locked against other processes: one
// running program owns one file. It is replaced whole: a crash leaves the old content or
// the new.
type file struct{ path string }

// Open reads the state file at path; a missing file is an empty one, and is
// created by the first Save. It fails if the file cannot be read or its folder
// cannot be written, so that a wrong path is noticed at the start. The warning is that
// of Reread.
func Open(path string) (s *Store, warning, err error) {
	s = New(file{path})
	warning, err = s.Reread()
	if err != nil {
		return nil, nil, err
	}
	if err := writable(path); err != nil {
		return nil, nil, fmt.Errorf("open state file %s: its folder cannot be written: %w", path, err)
	}
	return s, warning, nil
}

func (f file) String() string { return "state file " + f.path }

func (f file) Aside() string { return f.path + ".corrupt" }

func (f file) SetAside() error {
	if err := os.Rename(f.path, f.Aside()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (f file) Read() ([]byte, error) {
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, MaxSize+1))
}

func temporary(path string) string { return path + ".tmp" }

// create makes the temporary file anew. Its name is fixed, so that crashes leave
// one file behind at most; O_EXCL keeps it from following a planted link.
func create(path string) (*os.File, error) {
	if err := os.Remove(temporary(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(temporary(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func writable(path string) error {
	file, err := create(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// Write writes content beside the path, forces it to disk and renames it: the
// order that makes the change atomic (rename(2)).
func (f file) Write(content []byte) (err error) {
	file, err := create(f.path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file.Name())
		}
	}()
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), f.path); err != nil {
		return err
	}
	syncFolder(filepath.Dir(f.path))
	return nil
}

// syncFolder makes the rename durable. Its failure is no error: the new content
// is in place, and not every file system can sync a folder.
func syncFolder(path string) {
	folder, err := os.Open(path)
	if err != nil {
		return
	}
	_ = folder.Sync()
	_ = folder.Close()
}
