//! Ready files that start the shards of a campaign: Slurm, Kubernetes, GNU parallel.
use std::path::{Path, PathBuf};

use crate::command::check::quoted;
use crate::experiment::written::experiment_folder;

/// Who starts the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// a job array of Slurm
    Slurm,
    /// an indexed job of Kubernetes
    Kubernetes,
    /// GNU parallel, on this machine or over ssh
    Parallel,
}

/// What is to be started.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// the experiment's name
    pub name: String,
    /// the experiment file
    pub file: PathBuf,
    /// ` --quick`, ` --set ..`
    pub options: String,
    /// where run folders go
    pub runs: PathBuf,
    /// where data sets are, if that was said
    pub data: Option<PathBuf>,
    /// how many parts
    pub shards: usize,
}

impl Campaign {
    /// The files to write: name and text.
    pub fn files(&self, kind: Kind) -> Vec<(String, String)> {
        let name = experiment_folder(&self.name);
        match kind {
            Kind::Slurm => vec![(format!("{name}.sbatch"), self.slurm())],
            Kind::Kubernetes => vec![(format!("{name}.yaml"), self.kubernetes())],
            Kind::Parallel => {
                vec![(format!("{name}.jobs"), self.jobs()), (format!("{name}.sh"), self.parallel())]
            }
        }
    }

    /// The command of one shard; `index` is a number or what a shell makes one of.
    fn command(&self, index: &str) -> String {
        let shown = |path: &Path| quoted(&path.display().to_string());
        let mut command = format!("phalanx sweep {}{}", shown(&self.file), self.options);
        command.push_str(&format!(" --runs {}", shown(&self.runs)));
        if let Some(data) = &self.data {
            command.push_str(&format!(" --data {}", shown(data)));
        }
        format!("{command} --shard {index}/{}", self.shards)
    }

    fn collect(&self) -> String {
        let folder = self.runs.join(experiment_folder(&self.name));
        format!("phalanx sweep collect {} OTHER/FOLDERS..", quoted(&folder.display().to_string()))
    }

    fn slurm(&self) -> String {
        let (name, shards) = (experiment_folder(&self.name), self.shards);
        format!(
            "#!/bin/bash
# Experiment {name} as a job array of {shards} shards: sbatch {name}.sbatch
# Submit it from the folder that the paths below start at.
# Edit: partition, account, time, memory and processors of one shard.
# A shard that meets its time limit writes checkpoints and is queued again.
#SBATCH --job-name={name}
#SBATCH --array=1-{shards}
#SBATCH --cpus-per-task=8
#SBATCH --mem=8G
#SBATCH --time=08:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --output=%x-%a.log
#SBATCH --open-mode=append
# #SBATCH --partition=PARTITION
# #SBATCH --account=ACCOUNT
set -u
trap 'kill -TERM \"$phalanx\"' TERM
# Without a common disk, let --runs be a folder of the node, and afterwards:
#   {collect}
{command} --jobs \"${{SLURM_CPUS_PER_TASK:-1}}\" &
phalanx=$!
# The first wait ends when the signal comes, the second when the shard has ended.
wait \"$phalanx\"
wait \"$phalanx\"
code=$?
if [ \"$code\" -eq 130 ] && [ -n \"${{SLURM_JOB_ID:-}}\" ]; then
    scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"
fi
exit \"$code\"
",
            collect = self.collect(),
            command = self.command("\"$SLURM_ARRAY_TASK_ID\""),
        )
    }

    fn kubernetes(&self) -> String {
        // Names of objects are lower case, of at most 63 characters.
        let name: String = experiment_folder(&self.name).to_lowercase().chars().take(52).collect();
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let name = format!("phalanx-{}", name.trim_matches('-'));
        // JSON's strings are strings of YAML, too.
        let command = self.command("$((JOB_COMPLETION_INDEX + 1))");
        let command = serde_json::Value::String(format!("exec {command}"));
        format!(
            "# Experiment {experiment} as an indexed job of {shards} shards: kubectl apply -f FILE
# Edit: image, claim, resources, and how many pods may run at once (parallelism).
# Paths of the command start at /work, where the claim with experiment files and data is mounted.
# An evicted pod writes checkpoints and is started again where it stopped.
# Pods without a common disk: copy their folders, and afterwards:
#   {collect}
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
spec:
  completions: {shards}
  parallelism: {shards}
  completionMode: Indexed
  backoffLimitPerIndex: 10
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 120
      containers:
        - name: phalanx
          image: REGISTRY/phalanx:VERSION
          workingDir: /work
          command: [\"/bin/sh\", \"-c\", {command}]
          resources:
            requests: {{ cpu: \"8\", memory: 8Gi }}
            limits: {{ cpu: \"8\", memory: 8Gi }}
          volumeMounts:
            - {{ name: work, mountPath: /work }}
      volumes:
        - name: work
          persistentVolumeClaim: {{ claimName: CLAIM }}
",
            experiment = experiment_folder(&self.name),
            shards = self.shards,
            collect = self.collect(),
        )
    }

    fn jobs(&self) -> String {
        (1..=self.shards).map(|index| self.command(&index.to_string()) + "\n").collect()
    }

    fn parallel(&self) -> String {
        let name = experiment_folder(&self.name);
        format!(
            "#!/bin/sh
# Experiment {name} as {shards} shards by GNU parallel; started again, it does what is left.
# Edit: how many shards at a time (--jobs), and machines, for instance
#   --sshloginfile machines --workdir .
# A shard uses every core of its machine, hence one at a time; `--jobs 1` after each command of
# {name}.jobs would share one machine out differently.
# Machines without a common disk: copy their folders, and afterwards:
#   {collect}
cd \"$(dirname \"$0\")\" && list=\"$PWD/{name}.jobs\" && cd \"$OLDPWD\" || exit
exec parallel --jobs 1 --joblog {name}.log --resume-failed --retries 3 --line-buffer :::: \"$list\"
",
            shards = self.shards,
            collect = self.collect(),
        )
    }
}
