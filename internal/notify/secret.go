package notify

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
)

// secret is a text that is read anew for each message, so that one that was rotated is taken
// up. It is in no error.
type secret struct {
	read func() (string, error)

	mu   sync.Mutex
	used string
}

// text is the secret as it is now.
func (s *secret) text() (string, error) {
	text, err := s.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = ""
	if err == nil {
		s.used = strings.TrimSpace(text)
	}
	return s.used, err
}

// renewed tells whether it can be read, and is another one than was used last.
func (s *secret) renewed() bool {
	text, err := s.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	return err == nil && strings.TrimSpace(text) != s.used
}

// url is the secret as an address. whose it is stands in errors.
func (s *secret) url(whose string) (string, error) {
	raw, err := s.text()
	if err != nil {
		return "", fmt.Errorf("read the %s's URL: %w", whose, err)
	}
	// The parser's error would print what it does not like.
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", errors.New("the " + whose + "'s URL is not a valid https URL")
	}
	return raw, nil
}
