module driftprobe/test

go 1.26.0

require (
	driftprobe v0.0.0-00010101000000-000000000000
	github.com/miekg/dns v1.1.73
	golang.org/x/crypto v0.58.0
	golang.org/x/sys v0.49.0
	gopkg.in/yaml.v3 v3.0.1
)

require golang.org/x/net v0.62.0 // indirect

replace driftprobe => ../
