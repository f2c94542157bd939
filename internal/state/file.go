package state

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// file is the Place that is a file. One process writes it: the first one that did so
// holds a lock (flock(2)) on a file beside it, which ends with the process whatever ends
// that. The file is replaced whole: a crash leaves the old content or the new.
type file struct {
	path string
	lock *os.File          // nil: not ours
	seen [sha256.Size]byte // of the content that was read or written last
}

// ErrTaken is returned by Save while another process is the one that writes the file.
var ErrTaken = errors.New("another process writes it")

// Open reads the state file at path; a missing file is an empty one, and is
// created by the first Save. Until Close no other process can write it; while another one
// does, Save fails with ErrTaken. Open fails if the file cannot be read or its folder
// cannot be written, so that a wrong path is noticed at the start. The warning is that
// of Reread.
func Open(path string) (s *Store, warning, err error) {
	f := &file{path: path}
	s = New(f)
	err = f.take()
	if err == nil {
		err = writable(path)
	}
	// What another process is writing now is not touched.
	if err != nil && !errors.Is(err, ErrTaken) {
		return nil, nil, fmt.Errorf("open state file %s: its folder cannot be written: %w", path, errors.Join(err, f.Close()))
	}
	if warning, err = s.Reread(); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return s, warning, nil
}

func (f *file) String() string { return "state file " + f.path }

func (f *file) Aside() string { return f.path + ".corrupt" }

func (f *file) SetAside() error {
	if err := f.take(); err != nil {
		return err
	}
	if err := os.Rename(f.path, f.Aside()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// take makes the file ours to write.
func (f *file) take() error {
	if f.lock != nil {
		return nil
	}
	lock, err := os.OpenFile(f.path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case err == nil:
		f.lock = lock
		return nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		err = fmt.Errorf("%s: %w (it holds %s)", f, ErrTaken, lock.Name())
	case errors.Is(err, errors.ErrUnsupported): // a file system without locks
		f.lock = lock
		return nil
	}
	return errors.Join(err, lock.Close())
}

// ours tells whether the lock is held that others ask for: somebody may have removed the file,
// as one does with locks that seem to be left over.
func (f *file) ours() bool {
	if f.lock == nil {
		return false
	}
	held, err := f.lock.Stat()
	there, missing := os.Stat(f.lock.Name())
	return err == nil && missing == nil && os.SameFile(held, there)
}

// errChanged is returned by Write if another process has written since the last Read. The
// file is ours then.
var errChanged = errors.New("another process wrote it")

// takeOver makes the file ours after the content was read.
func (f *file) takeOver() error {
	if err := f.take(); err != nil {
		return err
	}
	before := f.seen
	if _, err := f.Read(); err != nil {
		return errors.Join(err, f.Close())
	}
	if f.seen != before {
		return errChanged
	}
	return nil
}

// Close lets another process write the file.
func (f *file) Close() error {
	if f.lock == nil {
		return nil
	}
	lock := f.lock
	f.lock = nil
	return lock.Close()
}

func (f *file) Read() ([]byte, error) {
	file, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // not to wait at a pipe
	if errors.Is(err, fs.ErrNotExist) {
		f.seen = sha256.Sum256(nil)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if about, err := file.Stat(); err != nil || !about.Mode().IsRegular() {
		return nil, cmp.Or(err, fmt.Errorf("%s is not a regular file", f.path))
	}
	content, err := io.ReadAll(io.LimitReader(file, MaxSize+1))
	if err == nil {
		f.seen = sha256.Sum256(content)
	}
	return content, err
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
func (f *file) Write(content []byte) (err error) {
	if !f.ours() {
		if err := errors.Join(f.Close(), f.takeOver()); err != nil {
			return err
		}
	}
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
	f.seen = sha256.Sum256(content)
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
