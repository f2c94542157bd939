package dnscheck

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// benchServerVariable is set in the process that is the server of the benchmarks.
// It is another process, so that its processor time is not in what they measure.
const benchServerVariable = "DNSCHECK_BENCH_SERVER"

// serveBenchmarks answers every question with two addresses until its input ends.
func serveBenchmarks() {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		panic(err)
	}
	fmt.Println(conn.LocalAddr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	address := []byte{0xC0, headerSize, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1}
	opt := []byte{0, 0, 41, udpSize >> 8, udpSize & 0xFF, 0, 0, 0, 0, 0, 0}
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			panic(err)
		}
		p := parser{packet: buf[:n], at: headerSize}
		p.name()
		end := p.at + 4
		out := slices.Concat(buf[:end], address, address, opt)
		out[2], out[7], out[11] = 0x84, 2, 1
		out[end+len(address)+len(address)-1] = 2
		if _, err := conn.WriteToUDPAddrPort(out, from); err != nil {
			panic(err)
		}
	}
}

// benchServer starts the server of the benchmarks.
func benchServer(tb testing.TB) netip.AddrPort {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	server := exec.Command(self)
	server.Env = append(os.Environ(), benchServerVariable+"=1")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := server.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = stdin.Close() // ends it
		if err := server.Wait(); err != nil {
			tb.Error(err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return netip.MustParseAddrPort(strings.TrimSpace(line))
}
