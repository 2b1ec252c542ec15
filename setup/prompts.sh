#!/usr/bin/env bash
# Makes what the callers hear: dialplan/prompts/<language>/<name>.txt, spoken by espeak-ng, or the studio's <name>.wav
# beside it, becomes var/prompts/<language>/<name>.{sln,sln16}, and dialplan/music/<class>/<name> likewise, where
# it may be <name>.tones too. Only what its source no longer matches is made.
set -euo pipefail
cd "$(dirname "$0")/.."
. setup/say.sh

SOURCES=dialplan
TARGETS=var
FORMATS=(sln sln16) # signed linear alone: docs/decisions/0026
SPEECH_DBFS=(-20 -1) # mean and peak: as loud as telephone speech usually is, and so that nothing clips
MUSIC_DBFS=(-30 -12) # behind speech
RINGING_DBFS=(-23 -13) # a fifth of it is the tone, which then is as loud as Asterisk's own
LONGEST_TONES_S=120

voice_of() { # voice_of prompts/LANGUAGE/NAME or music/CLASS/NAME
    case $1 in
    prompts/id/* | music/*) printf id ;;
    prompts/en/*) printf en-gb ;;
    *) fail "$SOURCES/$1: no voice is known for this language. Remedy: add one to voice_of in setup/prompts.sh." ;;
    esac
}

# The source of a prompt: the studio's recording where there is one, else the text, else the tones.
source_of() {
    local stem=$SOURCES/$1 kind
    for kind in wav txt tones; do
        if [ -e "$stem.$kind" ]; then
            printf '%s.%s' "$stem" "$kind"
            return
        fi
    done
}

# What a prompt was made from is kept beside it. A checksum, not a date: a studio's file may be older than the text that it
# replaces.
is_made() { # is_made LANGUAGE/NAME CHECKSUM
    local made_from=""
    [ -e "$TARGETS/$1.made-from" ] && read -r made_from <"$TARGETS/$1.made-from" && [ "$made_from" = "$2" ]
}

make_prompt() { # make_prompt LANGUAGE/NAME SOURCE CHECKSUM FOLDER_TO_WORK_IN
    local prompt=$1 source=$2 work=$4 spoken=$4/spoken.wav loudness=("${SPEECH_DBFS[@]}") voice gain
    mkdir "$work"
    case $source in
    *.wav) spoken=$source ;;
    *.tones) sound "$source" "$spoken" ;;
    *)
        voice=$(voice_of "$prompt")
        speak "$source" "$voice" "$spoken"
        ;;
    esac
    # a recording beside its text is speech
    if [[ $prompt == music/* && ! -e $SOURCES/$prompt.txt ]]; then loudness=("${MUSIC_DBFS[@]}"); fi
    if [[ $source == */music/ringing/*.tones ]]; then loudness=("${RINGING_DBFS[@]}"); fi
    gain=$(gain_of "$spoken" "${loudness[@]}") || fail "$source: holds no sound. Remedy: give it words that can be spoken, or a recording."
    convert "$spoken" "$gain" "$work" || fail "$source: ffmpeg cannot convert it (see above)."
    mkdir -p "$TARGETS/${prompt%/*}"
    for format in "${FORMATS[@]}"; do
        mv "$work/prompt.$format" "$TARGETS/$prompt.$format"
    done
    printf '%s\n' "$3" >"$TARGETS/$prompt.made-from"
    rm -f "$TARGETS/$prompt".{alaw,ulaw,g722} # made until docs/decisions/0026
}

speak() { # speak TEXT_FILE VOICE WAV
    grep -q '[[:alnum:]]' "$1" || fail "$1: is empty. Remedy: write what callers shall hear, or delete the file."
    espeak-ng -v "$2" -s 150 -w "$3" -f "$1" || fail "$1: espeak-ng cannot speak it (see above)."
}

# A source of ffmpeg's own (lavfi); one without an end is cut off.
sound() { # sound TONES_FILE WAV
    local source
    source=$(sed '/^#/d' "$1" | tr -d '\n')
    ffmpeg -nostdin -hide_banner -loglevel error -y -f lavfi -t "$LONGEST_TONES_S" -i "$source" "$2" ||
        fail "$1: ffmpeg knows no such source (see above). Remedy: write one of its sources, such as sine=440:d=3."
}

# The gain in dB that brings a file to the mean, or as near as the peak allows. Status 1: the file is silent.
gain_of() { # gain_of SOUND MEAN_DBFS PEAK_DBFS
    ffmpeg -nostdin -hide_banner -i "$1" -ac 1 -af volumedetect -f null - 2>&1 |
        awk -v mean_wanted="$2" -v peak_allowed="$3" '
            / mean_volume:/ { mean = $(NF - 1) }
            / max_volume:/ { peak = $(NF - 1); found = 1 }
            END {
                if (!found || mean < -80) exit 1
                gain = mean_wanted - mean
                if (gain > peak_allowed - peak) gain = peak_allowed - peak
                printf "%.1f", gain
            }'
}

# One run of ffmpeg for both formats: 100 ms of silence on each side, headerless, as Asterisk reads them.
convert() { # convert SOUND GAIN_DB FOLDER
    ffmpeg -nostdin -hide_banner -loglevel error -y -i "$1" -filter_complex "
        [0:a] aformat=channel_layouts=mono, volume=${2}dB, adelay=100, apad=pad_dur=0.1, asplit [narrow] [wide];
        [narrow] aresample=8000 [sln];
        [wide] aresample=16000 [sln16]" \
        -map '[sln]' -f s16le "$3/prompt.sln" \
        -map '[sln16]' -f s16le "$3/prompt.sln16"
}

declare -A sources=() checksums=()
while read -r file; do
    prompt=${file#"$SOURCES/"}
    sources[${prompt%.*}]=$(source_of "${prompt%.*}")
done < <(
    find "$SOURCES/prompts" -mindepth 2 \( -name '*.txt' -o -name '*.wav' \) | sort
    find "$SOURCES/music" -mindepth 2 \( -name '*.txt' -o -name '*.wav' -o -name '*.tones' \) | sort
)
((${#sources[@]})) || fail "$SOURCES holds no prompts. Remedy: fetch them again (git checkout $SOURCES)."
for prompt in "${!sources[@]}"; do
    [[ $prompt != music/* || $prompt =~ ^music/[a-z0-9-]{1,40}/[a-z0-9-]{1,40}$ ]] ||
        fail "$SOURCES/$prompt: is no name for music. Remedy: small letters, digits and hyphens, 40 at most, in one folder."
done
recipe=$(sha256sum <setup/prompts.sh) # a change of voice or loudness makes all prompts anew
while read -r checksum file; do
    checksums[$file]=$checksum-${recipe%% *}
done < <(sha256sum "${sources[@]}")

# Asterisk plays whatever lies in a class's folder: what has no source any more goes.
for made in "$TARGETS"/music/*/*.made-from; do
    stem=${made%.made-from}
    if [ ! -e "$made" ] || [ -n "${sources[${stem#"$TARGETS/"}]:-}" ]; then continue; fi
    rm -f "$stem".*
    rmdir --ignore-fail-on-non-empty "${stem%/*}"
done

todo=()
for prompt in "${!sources[@]}"; do
    is_made "$prompt" "${checksums[${sources[$prompt]}]}" || todo+=("$prompt")
done
((${#todo[@]})) || exit 0
mapfile -t todo < <(printf '%s\n' "${todo[@]}" | sort)

mkdir -p "$TARGETS/prompts" "$TARGETS/music"
WORK=$(mktemp -d "$TARGETS/prompts/.making.XXXXXX") # on the same disk, so that a finished file takes its place in one step
trap 'wait; rm -rf "$WORK"' EXIT
at_once=$(nproc) count=0 running=()
for prompt in "${todo[@]}"; do
    count=$((count + 1))
    if [ -t 1 ]; then printf '\r\033[K'; fi
    printf 'prompt %d/%d %s' "$count" "${#todo[@]}" "$prompt"
    [ -t 1 ] || echo
    if ((${#running[@]} == at_once)); then
        wait "${running[0]}"
        running=("${running[@]:1}")
    fi
    make_prompt "$prompt" "${sources[$prompt]}" "${checksums[${sources[$prompt]}]}" "$WORK/$count" &
    running+=($!)
done
for each in "${running[@]}"; do wait "$each"; done
if [ -t 1 ]; then printf '\r\033[K'; fi
say "Prompts: ${#todo[@]} made"
