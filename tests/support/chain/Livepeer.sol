// SPDX-License-Identifier: MIT
pragma solidity ^0.8.0;

// Stand-ins that keep the signatures and the meaning of the few functions of Livepeer's protocol that an
// orchestrator reads: who is registered, who is in the active set in which round, and with how much stake.

contract Controller {
    mapping(bytes32 => address) private contracts;

    function setContract(string calldata name, address where) external {
        contracts[keccak256(bytes(name))] = where;
    }

    function getContract(bytes32 id) external view returns (address) {
        return contracts[id];
    }
}

contract RoundsManager {
    uint256 public currentRound = 1;

    function initializeRound() external {
        currentRound += 1;
    }

    function currentRoundInitialized() external pure returns (bool) {
        return true;
    }

    function roundLength() external pure returns (uint256) {
        return 5760;
    }
}

contract BondingManager {
    struct Transcoder {
        uint256 stake;
        uint256 activationRound;
        uint256 deactivationRound;
    }

    uint256 private constant NEVER = type(uint256).max;
    RoundsManager private rounds;
    mapping(address => Transcoder) private transcoders;

    constructor(RoundsManager manager) {
        rounds = manager;
    }

    // Stake counts at once, the active set changes with the next round.
    function bond(uint256 amount, address to) external {
        Transcoder storage t = transcoders[to];
        if (t.stake == 0) {
            t.activationRound = rounds.currentRound() + 1;
            t.deactivationRound = NEVER;
        }
        t.stake += amount;
    }

    function unbond(uint256 amount) external {
        Transcoder storage t = transcoders[msg.sender];
        t.stake -= amount;
    }

    function leaveActiveSet() external {
        transcoders[msg.sender].deactivationRound = rounds.currentRound() + 1;
    }

    function isRegisteredTranscoder(address who) external view returns (bool) {
        return transcoders[who].stake > 0;
    }

    function isActiveTranscoder(address who) external view returns (bool) {
        uint256 round = rounds.currentRound();
        return transcoders[who].activationRound <= round && round < transcoders[who].deactivationRound;
    }

    function transcoderTotalStake(address who) external view returns (uint256) {
        return transcoders[who].stake;
    }
}
