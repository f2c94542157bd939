package lab

// Want is one finding that a row of a table wants. Code and severity are exact.
type Want struct {
	Code, Severity string
	// Subject are parts of the finding's subject, Texts of what it says: summary,
	// expected, observed or hint. The cause is named in one of them.
	Subject []string
	Texts   []string
	// Count is how often such a finding is made, for different subjects; 0 means once.
	Count int
}

// Times is a finding that is made for n subjects.
func (w Want) Times(n int) Want {
	w.Count = n
	return w
}
