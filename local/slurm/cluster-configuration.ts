import { join } from 'node:path';

export interface ClusterPlan {
  /** Where all of it lies: configuration, state, logs, sockets. */
  readonly folder: string;
  readonly hostname: string;
  readonly controllerPort: number;
  /** One port per node. */
  readonly nodePorts: readonly number[];
  readonly cpusPerNode: number;
  readonly memoryMb: number;
}

export const PARTITION = 'main';
/** Its jobs send those of the other one back to the queue. */
export const URGENT_PARTITION = 'urgent';

/** While this file is there no job can be launched: its node is drained and it is held, as when a site's prolog fails. */
export const prologFails = (folder: string) => join(folder, 'run', 'prolog-fails');
export const prologPath = (folder: string) => join(folder, 'etc', 'prolog');
export const prolog = (folder: string) => `#!/bin/sh\n[ ! -e '${prologFails(folder)}' ]\n`;

export const mungeSocket = (folder: string) => join(folder, 'munge', 'socket');
export const slurmConfPath = (folder: string) => join(folder, 'etc', 'slurm.conf');

/** Long enough for a launch on a busy host. */
const CREDENTIAL_SECONDS = 20;

/**
 * A slurm.conf for a cluster of several slurmd on one host (Debian's build can do that). Short times, so that a test
 * need not wait; no cgroups, which a container may not let us write.
 */
export function slurmConf({ folder, hostname, controllerPort, nodePorts, cpusPerNode, memoryMb }: ClusterPlan): string {
  const nodes = nodePorts.map(
    (port, index) =>
      `NodeName=n${index + 1} NodeHostname=${hostname} NodeAddr=127.0.0.1 Port=${port} CPUs=${cpusPerNode} Boards=1 ` +
      `SocketsPerBoard=1 CoresPerSocket=${cpusPerNode} ThreadsPerCore=1 RealMemory=${memoryMb} State=UNKNOWN`,
  );
  return `ClusterName=ponte
SlurmctldHost=${hostname}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# A job that is queued again waits for as long as a credential lives, which is two minutes by default.
AuthInfo=socket=${mungeSocket(folder)},cred_expire=${CREDENTIAL_SECONDS}
SlurmctldPort=${controllerPort}
StateSaveLocation=${folder}/state
SlurmdSpoolDir=${folder}/spool/%n
SlurmctldPidFile=${folder}/run/slurmctld.pid
SlurmdPidFile=${folder}/run/slurmd-%n.pid
SlurmctldLogFile=${folder}/log/slurmctld.log
SlurmdLogFile=${folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
# Looks for room at once instead of every half minute: a job of a test starts within a second.
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
# A node may say that it has more cpus than this host: jobs of tests mostly wait.
SlurmdParameters=config_overrides
JobRequeue=1
Prolog=${prologPath(folder)}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MinJobAge=300
SlurmctldTimeout=10
SlurmdTimeout=15
InactiveLimit=0
KillWait=5
ReturnToService=2
MpiDefault=none
PropagateResourceLimits=NONE
${nodes.join('\n')}
PartitionName=${PARTITION} Nodes=ALL Default=YES PriorityTier=1 MaxTime=1-00:00:00 DefaultTime=10:00 State=UP
PartitionName=${URGENT_PARTITION} Nodes=ALL PriorityTier=9 PreemptMode=OFF MaxTime=1-00:00:00 DefaultTime=10:00 State=UP
`;
}

/** From 23.11 slurmd loads a cgroup plugin even when nothing asks for it, and ends when the tree is read-only. */
export function cgroupConf(version: { readonly major: number; readonly minor: number }): string {
  return version.major * 100 + version.minor >= 2311 ? 'CgroupPlugin=disabled\n' : '';
}
