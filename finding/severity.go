package finding

import "fmt"

// Severity says how bad a finding is. Higher is worse.
type Severity int

// The severities, in rising order.
const (
	// Info is worth knowing and nothing to act on.
	Info Severity = iota
	// Unknown means that we could not look. It is never fine and never resolves.
	Unknown
	// Warning will break, or breaks for some.
	Warning
	// Critical means that users fail now, or will when the caches turn over.
	Critical
)

var severityNames = [...]string{"info", "unknown", "warning", "critical"}

// String returns the severity's lower-case name.
func (s Severity) String() string {
	if s < 0 || int(s) >= len(severityNames) {
		return fmt.Sprintf("severity(%d)", int(s))
	}
	return severityNames[s]
}

// ParseSeverity is the inverse of String.
func ParseSeverity(name string) (Severity, error) {
	for i, n := range severityNames {
		if n == name {
			return Severity(i), nil
		}
	}
	return 0, fmt.Errorf("unknown severity %q (one of info, unknown, warning, critical)", name)
}

// MarshalText writes the name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *Severity) UnmarshalText(text []byte) error {
	v, err := ParseSeverity(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}
