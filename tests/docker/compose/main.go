// Loads compose.yaml as Docker Compose does (the Compose Specification's own loader), checks what the program and its users rely
// on, and writes into a folder: Kafka's settings as a broker's properties file (kafka.properties), and the script that starts the
// generator (entrypoint).
// usage: go run . COMPOSE-FILE FOLDER
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:2], cli.WithProfiles([]string{"generator"}), cli.WithDotEnv)
	refuse(err)
	project, err := options.LoadProject(context.Background())
	refuse(err)
	kafka, err := project.GetService("kafka")
	refuse(err)
	generator, err := project.GetService("mock-data-gen")
	refuse(err)
	check(generator)
	checkKafka(kafka)
	var properties strings.Builder
	for name, value := range kafka.Environment {
		// As the image turns variables into properties; these two are for its scripts.
		if key, ok := strings.CutPrefix(name, "KAFKA_"); ok && key != "HEAP_OPTS" && value != nil {
			fmt.Fprintf(&properties, "%s=%s\n", strings.ToLower(strings.ReplaceAll(key, "_", ".")), *value)
		}
	}
	refuse(os.WriteFile(filepath.Join(os.Args[2], "kafka.properties"), []byte(properties.String()), 0o644))
	refuse(os.WriteFile(filepath.Join(os.Args[2], "entrypoint"), []byte(generator.Entrypoint[2]), 0o644))
}

func check(generator types.ServiceConfig) {
	require(slices.Equal(generator.Profiles, []string{"generator"}), "the generator starts only with --profile generator")
	require(generator.ReadOnly, "the root is read-only")
	require(slices.Equal(generator.CapDrop, []string{"ALL"}), "all capabilities are dropped")
	require(slices.Contains(generator.SecurityOpt, "no-new-privileges:true"), "no new privileges")
	require(!generator.Privileged && generator.User == "", "the user is the image's")
	require(generator.DependsOn["kafka"].Condition == types.ServiceConditionHealthy, "it waits for Kafka's health")
	require(generator.Restart == "unless-stopped", "it comes back after a restart of the daemon")
	// What this does is tried by tests/docker/check.
	shell := len(generator.Entrypoint) == 4 && slices.Equal(generator.Entrypoint[:2], []string{"/bin/sh", "-c"})
	require(shell && generator.Entrypoint[3] == "mock-data-gen", "its entrypoint is a script of the shell, by the program's name")
	require(len(generator.Command) == 0, "the script has no arguments")
	require(time.Duration(*generator.StopGracePeriod) > 5*time.Second, "it may take 5 s to end")
	require(generator.Build != nil && generator.Build.Context != "", "the image is built here")
	_, named := generator.Environment["KAFKA_BOOTSTRAP_SERVERS"]
	require(!named, "the program's default address is the one that resolves here")
	require(generator.Environment["MDG_RESUME"] == nil, "a restart goes on: --resume is left alone")
}

func checkKafka(kafka types.ServiceConfig) {
	require(kafka.HealthCheck != nil && !kafka.HealthCheck.Disable, "Kafka has a health check")
	require(len(kafka.Profiles) == 0, "Kafka starts by default")
	advertised := *kafka.Environment["KAFKA_ADVERTISED_LISTENERS"]
	require(strings.Contains(advertised, "://kafka:9092"), "inside, the address is kafka:9092")
	require(strings.Contains(advertised, "://localhost:29092"), "on the host, the address is localhost:29092")
	port := kafka.Ports[0]
	require(port.Published == "29092" && port.Target == 29092 && port.HostIP == "127.0.0.1", "host port 29092, on this machine alone")
	data := *kafka.Environment["KAFKA_LOG_DIRS"]
	kept := func(volume types.ServiceVolumeConfig) bool { return volume.Type == "volume" && volume.Target == data }
	require(slices.ContainsFunc(kafka.Volumes, kept), "the log lies in a volume")
	for _, name := range []string{"KAFKA_LOG_RETENTION_HOURS", "KAFKA_LOG_RETENTION_BYTES"} {
		require(kafka.Environment[name] != nil, name+" bounds the log")
	}
}

func require(holds bool, claim string) {
	if !holds {
		refuse(fmt.Errorf("compose.yaml: not so: %s", claim))
	}
}

func refuse(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
