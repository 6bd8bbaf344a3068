import { dirname } from 'node:path';

export interface UnitPaths {
  /** The folder of the unpacked bundle, for instance `/shared/ponte`. */
  readonly program: string;
  /** Of the agent's configuration file. */
  readonly configuration: string;
  readonly scratch: string;
  readonly keep: string | null;
  readonly journal: string;
  /** The service's unprivileged user. */
  readonly user: string;
}

/**
 * The agent's systemd unit. It may write to scratch, to what it keeps and to the journal's folder, nowhere else; it keeps no capability
 * and gains none. `MemoryDenyWriteExecute` is not set: V8 compiles at run time.
 * @param paths absolute and of plain characters: nothing here is quoted
 */
export function systemdUnit({ program, configuration, scratch, keep, journal, user }: UnitPaths): string {
  const written = [scratch, ...(keep === null ? [] : [keep]), dirname(journal)];
  return `[Unit]
Description=Ponte bridge agent
After=network-online.target munge.service
Wants=network-online.target

[Service]
User=${user}
Environment=AWS_PROFILE=ponte-site
ExecStart=${program}/bin/ponte agent run --config ${configuration}
# Not after a drain, which ends with status 0.
Restart=on-failure
RestartSec=10
# SIGTERM drains, which takes as long as a job; after this it is killed, and the next start goes on.
TimeoutStopSec=2h
# Only the agent itself: with the built-in scheduler its jobs are to live on.
KillMode=process

UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ReadWritePaths=${written.join(' ')}
ProtectHome=read-only
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6

[Install]
WantedBy=multi-user.target
`;
}
