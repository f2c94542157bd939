// Package config reads driftprobe's one configuration file.
//
// Its duty: turn one YAML document into a Config in which every value is
// typed, defaulted and checked, or into a list of all the problems of the file
// at once, each with its line, its column and what to do about it.
//
// Its non-duties: it opens no connection, reads no environment, builds no
// client, and looks into no file but the configuration itself. Whether a named
// file exists is found out by the one who reads it, with [ReadSecretFile].
//
//	c, err := config.Load("driftprobe.yaml")
//	var problems config.Problems
//	if errors.As(err, &problems) {
//		for _, p := range problems {
//			fmt.Fprintf(stderr, "error: %v\nhint:  %s\n", p, p.Hint)
//		}
//	}
//
// Values that open doors (header values, the webhook's URL) are of type
// [Secret], which no printer, encoder or logger can read.
package config
