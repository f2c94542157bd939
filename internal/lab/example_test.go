package lab_test

import (
	"context"
	"fmt"
	"log"

	"driftprobe/internal/lab"
)

// The outage, as a program drives it.
func ExampleNewWorld() {
	ctx := context.Background()
	w, err := lab.NewWorld(ctx, lab.WorldSpec{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	fmt.Println(len(w.Hosts), "hosts at", w.LBAddr())
	for _, step := range []func(context.Context) error{w.DeleteTraefik, w.CreateTraefik} {
		if err := step(ctx); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("now at", w.LBAddr(), "but published:", w.DO.Records(w.Zone)[0].Data)
	if err := w.FixRecords(w.LBAddr()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("published:", w.DO.Records(w.Zone)[0].Data)
	// Output:
	// 14 hosts at 127.53.1.10
	// now at 127.53.1.77 but published: 127.53.1.10
	// published: 127.53.1.77
}
