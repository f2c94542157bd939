package main

import (
	"time"

	"driftprobe/config"
	"driftprobe/lbcheck/digitalocean"
)

// accounts are the cloud accounts that are open, by what the configuration says of
// them, over reloads: who keeps the account keeps its last list, and the time before
// which the API wants to be left alone.
type accounts map[account]*digitalocean.Account

// account is all that an account is made of.
type account struct {
	tokenFile, url string
	timeout        time.Duration
}

// open makes the account that is named by the configuration, or by a token in the
// environment, or returns the one that is open; nil if none is named.
func (o accounts) open(p process, cfg config.Config) (*digitalocean.Account, error) {
	token := func() (string, error) { return p.env("DIGITALOCEAN_TOKEN"), nil }
	if file := cfg.DigitalOcean.TokenFile; file != "" {
		token = func() (string, error) {
			s, err := config.ReadSecretFile(file, "digitalocean.token_file")
			return s.Reveal(), err
		}
	} else if !cfg.DigitalOcean.Configured && p.env("DIGITALOCEAN_TOKEN") == "" {
		return nil, nil
	}
	text, err := token()
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, faultf("set digitalocean.token_file, or DIGITALOCEAN_TOKEN in the environment", "there is no token")
	}
	key := account{cfg.DigitalOcean.TokenFile, cfg.DigitalOcean.APIURL, cfg.Timeout}
	if a, ok := o[key]; ok {
		return a, nil
	}
	a, err := digitalocean.New(digitalocean.Settings{Token: token, APIURL: key.url, Timeout: key.timeout})
	if err == nil {
		o[key] = a
	}
	return a, err
}
