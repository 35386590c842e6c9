package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"github.com/zim-operator/zim-operator/internal/zimsim"
)

// secretVariable holds the ServerSecret unless a file does. A flag would show it to everybody who can list processes.
const secretVariable = "ZIMSIM_SERVER_SECRET" //nolint:gosec // The name of a variable, not a secret.

// callbackSecretVariable holds the CallbackSecret, if it is another one.
const callbackSecretVariable = "ZIMSIM_CALLBACK_SECRET" //nolint:gosec // The name of a variable, not a secret.

// config is what the flags say.
type config struct {
	bindAddress      string
	adminBindAddress string
	options          zimsim.Options
	showVersion      bool
}

// parse reads the flags. With -h it writes the usage to out and returns flag.ErrHelp.
func parse(args []string, getenv func(string) string, out io.Writer) (*config, error) {
	c := &config{options: zimsim.Options{Switches: zimsim.DefaultSwitches()}}
	var app zimsim.App
	var appID uint64
	var secretFile string

	flags := flag.NewFlagSet("zimsim", flag.ContinueOnError)
	flags.StringVar(&c.bindAddress, "bind-address", "127.0.0.1:8080", "address of the API; port 0 takes a free one")
	flags.StringVar(&c.adminBindAddress, "admin-bind-address", "127.0.0.1:8081",
		"address of the admin side, which asks nobody who they are; port 0 takes a free one")
	flags.Uint64Var(&appID, "app-id", 0, "AppId of an app to begin with; the admin side adds more")
	flags.StringVar(&secretFile, "server-secret-file", "",
		"file with the app's ServerSecret; without it the secret comes from "+secretVariable)
	flags.IntVar(&app.CallsPerSecond, "calls-per-second", 20, "the app's calls in any sliding second; negative: no limit")
	flags.IntVar(&app.MaxRooms, "max-rooms", 0, "rooms the app may have at one time; 0: no limit")
	flags.StringVar(&app.CallbackURL, "callback-url", "", "where the app's server callbacks go; signed with "+
		callbackSecretVariable+", or else with the ServerSecret")
	flags.DurationVar(&c.options.Latency, "latency", 0, "time added to every answer of the API")
	flags.DurationVar(&c.options.Jitter, "jitter", 0, "how much the latency varies to either side")
	flags.BoolVar(&c.showVersion, "version", false, "print the version and exit")
	bindSwitches(flags, &c.options.Switches)

	if err := parseFlags(flags, args, out); err != nil {
		return nil, err
	}
	if c.options.Latency < 0 || c.options.Jitter < 0 {
		return nil, errors.New("--latency and --jitter must not be negative")
	}
	if err := zimsim.CheckCallbackURL(app.CallbackURL); err != nil {
		return nil, fmt.Errorf("--callback-url: %w", err)
	}
	if appID == 0 {
		if secretFile != "" || app.CallbackURL != "" {
			return nil, errors.New("--server-secret-file and --callback-url need --app-id")
		}
		return c, nil
	}
	if appID > math.MaxUint32 {
		return nil, errors.New("--app-id is not a uint32")
	}
	secret, err := readSecret(secretFile, getenv)
	if err != nil {
		return nil, err
	}
	app.AppID, app.ServerSecret = uint32(appID), secret
	app.CallbackSecret = strings.TrimSpace(getenv(callbackSecretVariable))
	c.options.Apps = []zimsim.App{app}
	return c, nil
}

// parseFlags parses without the flag package's habit of printing the whole usage after a mistake.
func parseFlags(flags *flag.FlagSet, args []string, out io.Writer) error {
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(out)
		flags.PrintDefaults()
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return err
}

// readSecret returns the ServerSecret of the app that the flags name.
func readSecret(file string, getenv func(string) string) (string, error) {
	secret := getenv(secretVariable)
	if file != "" {
		data, err := os.ReadFile(file) //nolint:gosec // The user names the file.
		if err != nil {
			return "", fmt.Errorf("--server-secret-file: %w", err)
		}
		secret = string(data)
	}
	secret = strings.TrimSpace(secret)
	if secret == "" {
		return "", errors.New("--app-id needs a secret: --server-secret-file, or " + secretVariable)
	}
	return secret, nil
}

// bindSwitches makes a flag of every switch.
func bindSwitches(flags *flag.FlagSet, s *zimsim.Switches) {
	for name, b := range map[string]*bool{
		"timer-starts-at-creation":         &s.TimerStartsAtCreation,
		"keep-attributes-while-empty":      &s.KeepAttributesWhileEmpty,
		"keep-attributes-of-never-entered": &s.KeepAttributesOfNeverEntered,
		"quota-before-existence":           &s.QuotaBeforeExistence,
		"cap-destroy-delay":                &s.CapDestroyDelay,
		"room-name-in-characters":          &s.RoomNameInCharacters,
		"last-page-flag-empty":             &s.LastPageFlagEmpty,
		"unchanged-set-counts":             &s.UnchangedSetCounts,
		"delete-absent-key-fails":          &s.DeleteAbsentKeyFails,
		"refuse-empty-value":               &s.RefuseEmptyValue,
		"stop-on-error-for-whole-request":  &s.StopOnErrorForWholeRequest,
		"total-of-values-only":             &s.TotalOfValuesOnly,
		"operator-must-have-logged-in":     &s.OperatorMustHaveLoggedIn,
		"limit-per-action":                 &s.LimitPerAction,
		"count-refused-calls":              &s.CountRefusedCalls,
		"require-hex-nonce":                &s.RequireHexNonce,
		"callback-time-in-milliseconds":    &s.CallbackTimeInMilliseconds,
		"callback-url-encoded":             &s.CallbackURLEncoded,
		"callbacks-of-server-calls":        &s.CallbacksOfServerCalls,
		"destroy-callback-when-empty":      &s.DestroyCallbackWhenEmpty,
	} {
		flags.BoolVar(b, name, *b, switchUsage)
	}
	for name, n := range map[string]*int{
		"room-id-reuse-seconds":            &s.RoomIDReuseSeconds,
		"query-attribute-on-missing-room":  &s.QueryAttributeOnMissingRoom,
		"modify-attribute-on-missing-room": &s.ModifyAttributeOnMissingRoom,
		"attribute-calls-on-empty-room":    &s.AttributeCallsOnEmptyRoom,
		"user-list-of-empty-room":          &s.UserListOfEmptyRoom,
		"refused-keys-code":                &s.RefusedKeysCode,
		"unregistered-operator":            &s.UnregisteredOperator,
		"user-list-over-limit":             &s.UserListOverLimit,
		"unknown-app":                      &s.UnknownApp,
		"gateway-error-status":             &s.GatewayErrorStatus,
	} {
		flags.IntVar(n, name, *n, switchUsage)
	}
	flags.StringVar(&s.ExtraIDCharacters, "extra-id-characters", "", switchUsage)
	flags.StringVar(&s.RefusedIDCharacters, "refused-id-characters", "", switchUsage)
}

const switchUsage = "what the vendor leaves open; see zimsim.Switches"
