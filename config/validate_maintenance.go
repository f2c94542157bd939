package config

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // images without time zones know them too

	"driftprobe/internal/inventory"
)

// maxWindows bounds the windows of one list.
const maxWindows = 100

// maintenance reads each window: two moments, or two times of the day.
func (d *decoder) maintenance(path string, windows []Window) {
	if len(windows) > maxWindows {
		d.check(path, faultf("use weekly windows", "more than %d windows", maxWindows))
		return
	}
	for i := range windows {
		at, w := entryPath(path, i), &windows[i]
		if d.failed[at] || d.failed[at+".from"] || d.failed[at+".until"] {
			continue
		}
		missing := slices.DeleteFunc([]string{"from", "until"}, func(key string) bool { return d.has(at + "." + key) })
		if len(missing) > 0 {
			d.check(at, faultf("add "+missing[0]+": 2030-01-31T22:00:00Z, or a time of the day such as \"22:00\"", "a window needs from and until"))
			continue
		}
		if _, weekly := minuteOfDay(w.From); weekly || d.has(at+".days") {
			d.weekly(at, w)
		} else {
			d.once(at, w)
		}
	}
}

func (d *decoder) once(path string, w *Window) {
	if d.has(path + ".timezone") {
		d.checkKey(path+".timezone", faultf("write the offset into the moments: 2030-01-31T22:00:00+01:00", "moments have their own offset"))
	}
	for key, into := range map[string]*time.Time{"from": &w.Parsed.From, "until": &w.Parsed.Until} {
		text := map[string]string{"from": w.From, "until": w.Until}[key]
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			d.check(path+"."+key, faultf(`write it like 2030-01-31T22:00:00Z, or "22:00" for every day`, "not a moment: %s", shown(text)))
			continue
		}
		*into = at.UTC()
	}
	if !d.failed[path+".from"] && !d.failed[path+".until"] && !w.Parsed.Until.After(w.Parsed.From) {
		d.check(path+".until", faultf("put the later moment here", "the window ends before it begins"))
	}
}

func (d *decoder) weekly(path string, w *Window) {
	week := inventory.Weekly{Zone: w.Timezone}
	for key, into := range map[string]*int{"from": &week.Start, "until": &week.End} {
		text := map[string]string{"from": w.From, "until": w.Until}[key]
		minute, ok := minuteOfDay(text)
		if !ok {
			d.check(path+"."+key, faultf(`write it like "22:00"`, "not a time of the day: %s", shown(text)))
		}
		*into = minute
	}
	if week.Start == week.End && !d.failed[path+".from"] {
		d.check(path+".until", faultf("name another time; for a whole day write two windows", "the window is empty"))
	}
	if _, err := time.LoadLocation(w.Timezone); err != nil || strings.EqualFold(w.Timezone, "local") {
		d.check(path+".timezone", faultf("use a name of the IANA database, such as Europe/Berlin", "not a time zone: %s", shown(w.Timezone)))
	}
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	for i, day := range w.Days {
		n := slices.Index(names, strings.ToLower(day))
		if n < 0 {
			d.check(entryPath(path+".days", i), faultf("use mon, tue, wed, thu, fri, sat or sun", "not a day: %s", shown(day)))
		}
		week.Days = append(week.Days, time.Weekday(n))
	}
	d.unique(path+".days", len(w.Days), func(i int) string { return strings.ToLower(w.Days[i]) })
	if len(w.Days) == 0 {
		week.Days = []time.Weekday{0, 1, 2, 3, 4, 5, 6}
	}
	w.Parsed.Weekly = &week
}

// minuteOfDay reads 22:00.
func minuteOfDay(text string) (int, bool) {
	at, err := time.Parse("15:04", text)
	return at.Hour()*60 + at.Minute(), err == nil
}
