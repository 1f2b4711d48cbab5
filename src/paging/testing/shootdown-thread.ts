import { playThread } from '../../state/testing/scenario.js'
import { SEEDED_BUGS } from './shootdown-bugs.js'
import { SOUND_SCENARIOS, THREE_HARTS } from './shootdown-scenarios.js'

playThread([...SOUND_SCENARIOS, ...THREE_HARTS, ...SEEDED_BUGS.map(({ scenario }) => scenario)])
