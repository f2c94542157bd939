// Package config reads driftprobe's one configuration file.
//
// Its duty: turn one YAML document into a Config in which every value is
// typed, defaulted and checked, or into a list of all the problems of the file
// at once, each with its line, its column and what to do about it.
//
// Its non-duties: it opens no connection, reads no environment and builds no client. Load
// looks into no file but the configuration itself; [Config.Unusable] says which of the
// files that it names cannot be used, and [ReadSecretFile] reads one at each use.
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
