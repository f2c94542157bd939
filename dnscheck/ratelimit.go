package dnscheck

import "time"

// burst is how much time's worth of questions may go out at once after a pause.
const burst = 2 * time.Second

// pace spaces the questions to one server: one every each, more only as a burst.
type pace struct {
	each time.Duration // 0 means no limit
	next time.Time     // when a question would be due if there were no bursts
}

func paceOf(perSecond int) pace {
	if perSecond <= 0 {
		return pace{}
	}
	return pace{each: time.Second / time.Duration(perSecond)}
}

// take books one question and says how long it must wait.
func (p *pace) take(now time.Time) time.Duration {
	if p.each == 0 {
		return 0
	}
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(p.each)
	return max(0, p.next.Sub(now)-burst)
}

// giveBack undoes take, for a question that was not put after all.
func (p *pace) giveBack() { p.next = p.next.Add(-p.each) }
