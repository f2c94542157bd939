package diagnose

import (
	"slices"

	"driftprobe/finding"
)

// ofOneResponse are the codes of what one response can get wrong, the deepest first: who
// answers, with which status, and what is in it.
func ofOneResponse() []finding.Code {
	return []finding.Code{finding.HTTPIdentity, finding.HTTPStatus, finding.HTTPBody, finding.HTTPHeader}
}

// lead says which finding tells what one response got wrong: of those with the same host and
// address the worst, and of these the deepest. Each other finding leads itself.
func lead(fs []finding.Finding) func(finding.Finding) finding.Finding {
	codes := ofOneResponse()
	depth := func(f finding.Finding) int { return slices.Index(codes, f.Code) }
	type response struct{ host, address string }
	leads := map[response]finding.Finding{}
	for _, f := range fs {
		if depth(f) < 0 {
			continue
		}
		at := response{f.Subject.Host, f.Subject.Address}
		if l, found := leads[at]; !found || f.Severity > l.Severity || f.Severity == l.Severity && depth(f) < depth(l) {
			leads[at] = f
		}
	}
	return func(f finding.Finding) finding.Finding {
		if l, found := leads[response{f.Subject.Host, f.Subject.Address}]; found && depth(f) >= 0 {
			return l
		}
		return f
	}
}

// parted divides findings into those that lead and the others.
func parted(fs []finding.Finding, leadOf func(finding.Finding) finding.Finding) (leads, others []finding.Finding) {
	for _, f := range fs {
		if leadOf(f).Code == f.Code {
			leads = append(leads, f)
		} else {
			others = append(others, f)
		}
	}
	return leads, others
}

// alsoWrong says what the same responses got wrong beside what leads.
func alsoWrong(fs []finding.Finding) []finding.Note {
	var notes []finding.Note
	for _, code := range ofOneResponse() {
		same := slices.DeleteFunc(slices.Clone(fs), func(f finding.Finding) bool { return f.Code != code })
		observed := distinct(same, observedOf)
		if len(observed) == 0 {
			continue
		}
		notes = append(notes, finding.Note{Label: "also", Text: finding.List(observed, 2)}, finding.Note{Text: "instead of " + same[0].Expected})
	}
	return notes
}
