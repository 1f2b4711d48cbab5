import { playThread } from '../../state/testing/scenario.js'
import { SEEDED_BUGS, WATCHED } from './lock-scenarios.js'

playThread([...WATCHED, ...SEEDED_BUGS])
